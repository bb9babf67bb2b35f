#include "base/bytes.h"

#include <doctest/doctest.h>

using wh::Bytes;
using wh::Reader;
using wh::Writer;

TEST_CASE("a reader gives back what a writer wrote") {
  std::string out;
  Writer w(out);
  w.u8(7);
  w.u16(0xabcd);
  w.u32(0xdeadbeef);
  w.u64(0x0123456789abcdefULL);
  w.boolean(true);
  w.bytes("hello");
  Reader r(out);
  CHECK(r.u8() == 7);
  CHECK(r.u16() == 0xabcd);
  CHECK(r.u32() == 0xdeadbeef);
  CHECK(r.u64() == 0x0123456789abcdefULL);
  CHECK(r.boolean());
  CHECK(r.bytes() == "hello");
  CHECK(r.complete());
}

TEST_CASE("a read past the end fails for good and returns zero") {
  Reader r("\x01\x02");
  CHECK(r.u32() == 0);
  CHECK_FALSE(r.ok());
  CHECK(r.u8() == 0);
  CHECK_FALSE(r.complete());
}

TEST_CASE("a boolean is 0 or 1") {
  Reader r("\x02");
  r.boolean();
  CHECK_FALSE(r.ok());
}

TEST_CASE("HAZARDS G2: a count larger than what is left fails before anything is allocated") {
  std::string out;
  Writer(out).u32(0xffffffff);
  Reader r(out);
  CHECK(r.count(8) == 0);
  CHECK_FALSE(r.ok());
}

TEST_CASE("a length prefix larger than what is left fails") {
  std::string out;
  Writer(out).u32(0xffffffff);
  out += "abc";
  Reader r(out);
  CHECK(r.bytes().empty());
  CHECK_FALSE(r.ok());
}

TEST_CASE("integers are little-endian") {
  std::string out;
  Writer w(out);
  w.u16(0x0102);
  w.u32(0x03040506);
  w.u64(0x0708090a0b0c0d0eULL);
  CHECK(out == "\x02\x01\x06\x05\x04\x03\x0e\x0d\x0c\x0b\x0a\x09\x08\x07");
}

TEST_CASE("a copy is its own, is shared in parts, and outlives what it was made of") {
  std::string source = "some bytes";
  const Bytes copy = Bytes::copy(source);
  source.assign(source.size(), 'x');
  CHECK(copy.view() == "some bytes");
  const Bytes part = copy.share(copy.view().substr(5));
  CHECK(part.view().data() == copy.view().data() + 5);
  CHECK(Bytes::copy({}).empty());
  CHECK(Bytes::copy("same") == Bytes(std::string("same")));
}

TEST_CASE("a part keeps the whole of a copy") {
  Bytes part;
  {
    const Bytes whole = Bytes::copy("first second");
    part = whole.share(whole.view().substr(6));
  }
  CHECK(part.view() == "second");
}
