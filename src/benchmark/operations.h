// What can be measured: a table of operations, each of which makes requests and reads as much of an answer as it needs.
// Pure. Called by Run and Client.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "benchmark/options.h"

namespace wh::benchmark {

// An answer, as far as operations look at it. Valid during the call only.
struct Answer {
  int status = 0;           // of HTTP; with RESP 200, 404 for nil, 500 for an error
  std::string_view body{};  // with RESP the whole reply; with HTTP only where the operation wants it
  std::string_view etag{};
  std::string_view receipt{};
};

// What one request after the other of a connection's place in the pipeline is made of.
struct Place {
  std::string etag{};     // of the place's own key
  std::string receipt{};  // of the event that it received
  uint64_t number = 0;    // tells the places apart
  bool second = false;    // the next request is the second of its operation
};

// Makes the requests of one test. Owns the data that they carry.
class Maker {
 public:
  explicit Maker(const Options& options);

  // --- for the operations
  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] const std::string& data() const { return data_; }
  // A random key: "key:" and twelve digits.
  std::string_view key();
  std::string_view key(uint64_t number);
  uint64_t random() { return prng_.below(options_.keyspace); }
  void http(std::string& out, std::string_view method, std::string_view path, std::string_view fields,
            std::string_view body);
  void resp(std::string& out, std::initializer_list<std::string_view> words);

 private:
  const Options& options_;
  Prng prng_;
  std::string data_;
  std::string key_;
  std::string head_;  // the header lines of all requests of HTTP
};

enum class Needs : uint8_t { nothing, keys, events, list };

struct Operation {
  std::string_view name;
  std::string_view text;  // one line
  Needs needs = Needs::nothing;
  // Appends the next request of this place.
  void (*make)(Maker& maker, Place& place, std::string& out);
  // Looks at an answer that is no error; true: make() is to be called again for the same operation. Null: one request
  // is all.
  bool (*goes_on)(Place& place, const Answer& answer) = nullptr;
  bool wants_body = false;
  // Whether an answer means that nothing is left to take.
  bool takes = false;
};

std::span<const Operation> operations(Protocol protocol);
const Operation* find_operation(Protocol protocol, std::string_view name);
std::vector<std::string> usual_tests(Protocol protocol);

// The operation that the user gave: Options::own.
const Operation& own_operation(Protocol protocol);

// What fills keys or queue before a test that reads or takes: item `number` of as many as wanted, for HTTP and RESP.
void make_filling(Maker& maker, Needs needs, uint64_t number, uint64_t items, std::string& out);

}  // namespace wh::benchmark
