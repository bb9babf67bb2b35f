#include "net/tls.h"

#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "net_fixture.h"
#include "tls_fixture.h"

using namespace wh;
using namespace wh::net;
using namespace wh::net::test;

namespace {

using Lane = HandshakeGate::Lane;

std::shared_ptr<const TlsMaterial> material(const TlsFiles& files) {
  auto made = TlsMaterial::read(files);
  REQUIRE_MESSAGE(made.ok(), made.error());
  return *made;
}

std::shared_ptr<TlsContext> server_context(const std::string& name, TlsClientAuth auth = TlsClientAuth::no) {
  auto made = TlsContext::server(material(Certificates::get().files(name)), auth);
  REQUIRE_MESSAGE(made.ok(), made.error());
  return *made;
}

std::shared_ptr<TlsContext> client_context(const std::string& name = "", const std::string& ca = "ca") {
  auto made = TlsContext::client(material(Certificates::get().files(name, ca)));
  REQUIRE_MESSAGE(made.ok(), made.error());
  return *made;
}

// A TLS connection over loopback TCP, with a recorder at each end.
struct Talk {
  Talk(Loop& loop, HandshakeGate& gate, const std::shared_ptr<TlsContext>& at_server_side,
       const std::shared_ptr<TlsContext>& at_client_side, const std::string& name = "node-1")
      : pair(loop),
        server(TlsStream::accept(loop, gate, Lane::client, at_server_side, std::move(pair.server))),
        client(TlsStream::connect(loop, gate, Lane::client, at_client_side, std::move(pair.client), name)) {
    server->set_handler(&at_server);
    client->set_handler(&at_client);
  }
  Pair pair;
  Recorder at_server;
  Recorder at_client;
  std::unique_ptr<TlsStream> server;
  std::unique_ptr<TlsStream> client;
};

// A server end alone, its other end being plain TCP.
struct Plain {
  Plain(Loop& loop, HandshakeGate& gate, const std::shared_ptr<TlsContext>& context)
      : pair(loop), server(TlsStream::accept(loop, gate, Lane::client, context, std::move(pair.server))) {
    server->set_handler(&at_server);
    pair.client->set_handler(&at_client);
  }
  Pair pair;
  Recorder at_server;
  Recorder at_client;
  std::unique_ptr<TlsStream> server;
};

// What `openssl s_client` makes of a server that echoes.
struct Outcome {
  std::string output;      // all that s_client printed
  std::string server_why;  // what the server's end was told at last
  std::string server_data;
  [[nodiscard]] bool has(std::string_view text) const { return output.find(text) != std::string::npos; }
};

Outcome s_client(const std::shared_ptr<TlsContext>& context, const std::string& arguments, const std::string& input) {
  Loop loop;
  HandshakeGate gate(loop);
  Recorder recorder;
  std::unique_ptr<ByteStream> stream;
  ListenOptions options;
  options.bind = {"127.0.0.1"};
  const auto listener = Listener::listen(loop, options, [&](std::unique_ptr<ByteStream> accepted) {
    stream = TlsStream::accept(loop, gate, Lane::client, context, std::move(accepted));
    recorder.data_hook = [&](std::string_view bytes) { stream->write(bytes); };
    recorder.end_hook = [&] { stream->close(); };
    stream->set_handler(&recorder);
  });
  REQUIRE(listener.ok());
  Outcome outcome;
  bool finished = false;
  const std::string command =
      "printf '" + input + "' | timeout 15 openssl s_client -connect 127.0.0.1:" + std::to_string((*listener)->port()) +
      " " + arguments + " 2>&1";
  loop.run_job(
      [&] {
        FILE* const pipe = popen(command.c_str(), "r");
        if (pipe == nullptr) return;
        char buffer[4096];
        for (size_t size = 0; (size = fread(buffer, 1, sizeof buffer, pipe)) > 0;) outcome.output.append(buffer, size);
        pclose(pipe);
      },
      [&] { finished = true; });
  REQUIRE(run_until(loop, [&] { return finished && recorder.closes == 1; }));
  outcome.server_why = recorder.why;
  outcome.server_data = recorder.data;
  return outcome;
}

}  // namespace

TEST_CASE("a TLS stream echoes like any other, for ECDSA and RSA") {
  for (const char* name : {"server", "server-rsa"}) {
    Loop loop;
    HandshakeGate gate(loop);
    Talk talk(loop, gate, server_context(name), client_context());
    talk.at_server.data_hook = [&](std::string_view bytes) { talk.server->write(bytes); };
    talk.client->write("written before ");
    talk.client->write("the handshake");
    CHECK_FALSE(talk.client->peer_is_verified());
    REQUIRE(run_until(loop, [&] { return talk.at_client.data == "written before the handshake"; }));
    CHECK(talk.server->is_tls());
    CHECK(talk.server->peer_address() == "127.0.0.1");
    CHECK(talk.server->peer_is_loopback());
    CHECK_FALSE(talk.server->peer_is_verified());
    CHECK(talk.client->peer_is_verified());
    CHECK(talk.client->peer_has_name("node-1"));
    CHECK(talk.client->peer_has_name("NODE-1"));
    CHECK_FALSE(talk.client->peer_has_name("node-2"));
    CHECK_FALSE(talk.client->peer_has_name("node-"));
    CHECK_FALSE(talk.server->peer_has_name("node-1"));
    CHECK(gate.under_way(Lane::client) == 0);
    CHECK(gate.steps() > 0);
  }
}

TEST_CASE("large transfers both ways under TLS, with a reader that pauses, are bounded and arrive whole") {
  Loop loop;
  HandshakeGate gate(loop);
  Talk talk(loop, gate, server_context("server"), client_context());
  const std::string all = pattern(6 * 1024 * 1024);
  const std::string back = pattern(3 * 1024 * 1024);
  size_t written = 0;
  size_t most_pending = 0;
  const auto fill = [&] {
    while (written < all.size() && talk.client->pending_bytes() <= TlsStream::kHighWater) {
      const size_t piece = std::min<size_t>(70'000, all.size() - written);
      talk.client->write(std::string_view(all).substr(written, piece));
      written += piece;
    }
    most_pending = std::max(most_pending, talk.client->pending_bytes());
  };
  talk.at_client.drained_hook = fill;
  int reads = 0;
  talk.at_server.data_hook = [&](std::string_view) {
    if (++reads % 40 != 0) return;
    talk.server->pause_reading();
    loop.defer([&] { talk.server->resume_reading(); });
  };
  fill();
  talk.server->write(back);
  REQUIRE(run_until(loop, [&] { return talk.at_server.size == all.size() && talk.at_client.size == back.size(); }));
  CHECK(talk.at_server.data == all);
  CHECK(talk.at_client.data == back);
  CHECK(talk.at_client.drains > 1);
  CHECK(most_pending <= TlsStream::kHighWater + 80'000);
}

TEST_CASE("a paused TLS stream delivers nothing, neither bytes nor end, until it is resumed") {
  Loop loop;
  HandshakeGate gate(loop);
  Talk talk(loop, gate, server_context("server"), client_context());
  talk.server->pause_reading();
  talk.client->write(std::string(40'000, 'x'));
  talk.client->close();
  run_for(loop, 60);
  CHECK(talk.at_server.size == 0);
  CHECK(talk.at_server.ends == 0);
  int reads = 0;
  talk.at_server.data_hook = [&](std::string_view) {
    ++reads;
    talk.server->pause_reading();  // in the middle of what one read brought
  };
  talk.server->resume_reading();
  REQUIRE(run_until(loop, [&] { return reads == 1; }));
  run_for(loop, 10);
  CHECK(reads == 1);
  CHECK(talk.at_server.size < 40'000);
  talk.at_server.data_hook = nullptr;
  talk.server->resume_reading();
  REQUIRE(run_until(loop, [&] { return talk.at_server.ends == 1; }));
  CHECK(talk.at_server.size == 40'000);
}

TEST_CASE("TLS: what was sent before the end is delivered before it, also when the end is seen first") {
  Loop loop;
  HandshakeGate gate(loop);
  Talk talk(loop, gate, server_context("server"), client_context());
  int reads = 0;
  talk.at_server.data_hook = [&](std::string_view) {
    ++reads;
    talk.server->pause_reading();  // in the middle of what one read brought
  };
  talk.client->write(std::string(40'000, 'x'));
  talk.client->close();
  REQUIRE(run_until(loop, [&] { return reads == 1; }));
  run_for(loop, 30);
  // Resumed so late in a turn that the poll, with the end of the connection, comes before what is at hand.
  bool resumed = false;
  loop.set_turn_hook([&] {
    if (std::exchange(resumed, true)) return;
    talk.at_server.data_hook = nullptr;
    talk.server->resume_reading();
  });
  REQUIRE(run_until(loop, [&] { return talk.at_server.ends + talk.at_server.closes != 0; }));
  CHECK(talk.at_server.size == 40'000);
  CHECK(talk.at_server.ends == 1);
  CHECK(talk.at_server.why.empty());
}

TEST_CASE("close() sends everything and close_notify: the peer is told of an end, and both close without a reason") {
  Loop loop;
  HandshakeGate gate(loop);
  Talk talk(loop, gate, server_context("server"), client_context());
  const std::string answer = pattern(700'000);
  talk.server->write(answer);
  talk.server->close();  // before the handshake even began
  talk.server->write("too late");
  talk.at_client.end_hook = [&] { talk.client->close(); };
  REQUIRE(run_until(loop, [&] { return talk.at_server.closes == 1 && talk.at_client.closes == 1; }));
  CHECK(talk.at_client.data == answer);
  CHECK(talk.at_client.ends == 1);
  CHECK(talk.at_client.why.empty());
  CHECK(talk.at_server.why.empty());
  run_for(loop, 5);
  CHECK(talk.at_server.closes == 1);
}

TEST_CASE("half close under TLS: after close_notify from the peer our answer still goes out") {
  for (const std::string version : {"-tls1_2", "-tls1_3"}) {
    if (version == "-tls1_3" && !tls_library_has_1_3()) continue;
    CAPTURE(version);
    const Outcome outcome = s_client(server_context("server"), version + " -quiet -no_ign_eof", "hello");
    CHECK(outcome.server_data == "hello");
    CHECK(outcome.server_why.empty());
  }
}

TEST_CASE("abort() under TLS tells once, later") {
  Loop loop;
  HandshakeGate gate(loop);
  Talk talk(loop, gate, server_context("server"), client_context());
  talk.client->write("x");
  REQUIRE(run_until(loop, [&] { return talk.at_server.data == "x"; }));
  talk.server->abort();
  CHECK(talk.at_server.closes == 0);
  talk.server->abort();
  REQUIRE(run_until(loop, [&] { return talk.at_server.closes == 1 && talk.at_client.closes == 1; }));
  CHECK(talk.at_server.why == "aborted");
  CHECK_FALSE(talk.at_client.why.empty());
}

TEST_CASE("a TLS stream may be destroyed inside each of its callbacks, and during the handshake") {
  Loop loop;
  HandshakeGate gate(loop);
  Talk talk(loop, gate, server_context("server"), client_context());
  SUBCASE("on_data") {
    talk.at_server.data_hook = [&](std::string_view) { talk.server.reset(); };
    talk.client->write(std::string(100'000, 'x'));
    REQUIRE(run_until(loop, [&] { return talk.server == nullptr; }));
  }
  SUBCASE("on_end") {
    talk.at_server.end_hook = [&] { talk.server.reset(); };
    talk.client->write("x");
    talk.client->close();
    REQUIRE(run_until(loop, [&] { return talk.server == nullptr; }));
  }
  SUBCASE("on_drained") {
    talk.at_client.drained_hook = [&] { talk.client.reset(); };
    talk.client->write(std::string(1'000'000, 'x'));
    REQUIRE(run_until(loop, [&] { return talk.client == nullptr; }));
  }
  SUBCASE("on_close") {
    talk.at_client.close_hook = [&] { talk.client.reset(); };
    talk.client->abort();
    REQUIRE(run_until(loop, [&] { return talk.client == nullptr; }));
  }
  SUBCASE("while a step waits for its turn") {
    talk.at_client.why = "none";
    REQUIRE(run_until(loop, [&] { return gate.steps() > 0; }));
    talk.server.reset();
    REQUIRE(run_until(loop, [&] { return talk.at_client.closes == 1; }));
  }
  CHECK(gate.under_way(Lane::client) <= 2);
}

TEST_CASE("the client refuses a server of another authority, with another name, or expired") {
  Loop loop;
  HandshakeGate gate(loop);
  struct Case {
    const char* server;
    const char* ca;
    const char* name;
    const char* why;
    const char* alert;
  };
  for (const Case& c :
       {Case{"server", "otherca", "node-1", "its certificate: The certificate is not", "does not know the authority"},
        Case{"stranger", "ca", "node-2", "its certificate: The certificate is not", "does not know the authority"},
        Case{"server", "ca", "node-2", "its certificate is for node-1, localhost, not for node-2", "another name"},
        Case{"server", "ca", "127.0.0.1", "its certificate is for node-1, localhost, not for 127.0.0.1", "(alert 42)"},
        // HAZARDS G7: neither a wildcard nor a common name is a node's id.
        Case{"wildcard", "ca", "node-1.example", "its certificate is for *.example, not for node", "another name"},
        Case{"nameless", "ca", "nameless", "its certificate is for no name, not for nameless", "another name"},
        Case{"expired", "ca", "node-2", "its certificate: The certificate validity has expired", "has expired"}}) {
    CAPTURE(c.server);
    Talk talk(loop, gate, server_context(c.server), client_context("", c.ca), c.name);
    talk.client->write("secret");
    REQUIRE(run_until(loop, [&] { return talk.at_client.closes == 1 && talk.at_server.closes == 1; }));
    CHECK(talk.at_client.why.starts_with(std::string("TLS handshake failed: ") + c.why));
    CHECK(talk.at_server.why.find(c.alert) != std::string::npos);
    CHECK_FALSE(talk.client->peer_is_verified());
    CHECK(talk.at_server.data.empty());
  }
}

TEST_CASE("HAZARDS G7: a client without a name in mind takes whom the authority vouches for, and can ask who it is") {
  Loop loop;
  HandshakeGate gate(loop);
  Talk talk(loop, gate, server_context("server"), client_context(), "");
  talk.at_server.data_hook = [&](std::string_view bytes) { talk.server->write(bytes); };
  talk.client->write("who?");
  REQUIRE(run_until(loop, [&] { return talk.at_client.data == "who?"; }));
  CHECK(talk.client->peer_has_name("node-1"));
  CHECK_FALSE(talk.client->peer_has_name("node-2"));
  CHECK(talk.client->peer_names() == "node-1, localhost");
  CHECK(talk.client->peer_cert_ends() > seconds_since_1970());
  CHECK(talk.server->peer_names().empty());
  CHECK(talk.server->peer_cert_ends() == INT64_MAX);
  Talk stranger(loop, gate, server_context("stranger"), client_context(), "");
  stranger.client->write("who?");
  REQUIRE(run_until(loop, [&] { return stranger.at_client.closes == 1; }));
  CHECK(stranger.at_server.data.empty());
}

TEST_CASE("HAZARDS J8: a required client certificate is required: none, of another authority, expired, wrong usage") {
  Loop loop;
  HandshakeGate gate(loop);
  const auto context = server_context("server", TlsClientAuth::yes);
  {
    Talk talk(loop, gate, context, client_context("client"));
    talk.client->write("hello");
    REQUIRE(run_until(loop, [&] { return talk.at_server.data == "hello"; }));
    CHECK(talk.server->peer_is_verified());
    CHECK(talk.server->peer_has_name("node-2"));
    CHECK_FALSE(talk.server->peer_has_name("node-1"));
  }
  for (const char* name : {"", "stranger", "expired", "wrong-usage"}) {
    CAPTURE(name);
    Talk talk(loop, gate, context, client_context(name));
    talk.client->write("hello");
    REQUIRE(run_until(loop, [&] { return talk.at_client.closes == 1 && talk.at_server.closes == 1; }));
    CAPTURE(talk.at_client.why);
    CAPTURE(talk.at_server.why);
    CHECK(talk.at_server.why.starts_with("TLS handshake failed: "));
    CHECK(talk.at_server.data.empty());
    CHECK_FALSE(talk.server->peer_is_verified());
    // The client is told, by an alert, also when it has shown nothing.
    CHECK(talk.at_client.why.find("alert") != std::string::npos);
    const std::string told =
        tls_library_has_1_3() ? "it demands a certificate (alert 116)" : "misses our certificate (alert 40)";
    if (name[0] == '\0') CHECK(talk.at_client.why.find(told) != std::string::npos);
    CHECK(talk.at_client.why.starts_with("TLS handshake failed: "));
    CHECK(talk.at_client.data.empty());
  }
  CHECK(gate.failures() == 4);
}

TEST_CASE("HAZARDS J8: openssl without the required certificate is told so, in either version, and gets nothing") {
  const auto context = server_context("server", TlsClientAuth::yes);
  for (const std::string version : {"-tls1_2", "-tls1_3"}) {
    if (version == "-tls1_3" && !tls_library_has_1_3()) continue;
    CAPTURE(version);
    const Outcome none = s_client(context, version + " -ign_eof", "hello");
    CHECK(none.server_why == "TLS handshake failed: it shows no certificate");
    CHECK(none.has(version == "-tls1_3" ? "alert certificate required" : "alert handshake failure"));
    CHECK(none.server_data.empty());
    const Certificates& certs = Certificates::get();
    const std::string stranger = " -cert " + certs.path("stranger.pem") + " -key " + certs.path("stranger.key");
    const Outcome unknown = s_client(context, version + stranger + " -ign_eof", "hello");
    CHECK(unknown.has("alert unknown ca"));
    CHECK(unknown.server_why.starts_with("TLS handshake failed: its certificate: The certificate is not correctly"));
    CHECK(unknown.server_data.empty());
    const std::string client = " -cert " + certs.path("client.pem") + " -key " + certs.path("client.key");
    CHECK(s_client(context, version + client, "hello").server_data == "hello");
  }
}

TEST_CASE("HAZARDS J8: an optional client certificate counts only when it is verified") {
  Loop loop;
  HandshakeGate gate(loop);
  const auto context = server_context("server", TlsClientAuth::optional);
  for (const std::string name : {"client", "", "stranger", "expired", "wrong-usage"}) {
    Talk talk(loop, gate, context, client_context(name));
    talk.client->write("hello");
    REQUIRE(run_until(loop, [&] { return talk.at_server.data == "hello"; }));
    CHECK(talk.server->peer_is_verified() == (name == "client"));
    CHECK(talk.server->peer_has_name("node-2") == (name == "client"));
  }
}

TEST_CASE("HAZARDS J10: an end without close_notify is no end") {
  Loop loop;
  HandshakeGate gate(loop);
  SUBCASE("between our own ends: the connection below is cut") {
    Talk talk(loop, gate, server_context("server"), client_context());
    talk.client->write("half a body");
    REQUIRE(run_until(loop, [&] { return talk.at_server.data == "half a body"; }));
    talk.client.reset();  // FIN, as a proxy in the middle could send it
    REQUIRE(run_until(loop, [&] { return talk.at_server.closes == 1; }));
    CHECK(talk.at_server.ends == 0);
    CHECK(talk.at_server.why == TlsStream::kTruncated);
  }
  SUBCASE("during the handshake") {
    Plain plain(loop, gate, server_context("server"));
    plain.pair.client->write("\x16\x03\x01");
    run_for(loop, 5);
    plain.pair.client.reset();
    REQUIRE(run_until(loop, [&] { return plain.at_server.closes == 1; }));
    CHECK(plain.at_server.ends == 0);
    CHECK(plain.at_server.why == "the peer ended the connection during the TLS handshake");
  }
}

TEST_CASE("what does not speak TLS is closed, in order and with a reason") {
  Loop loop;
  HandshakeGate gate(loop);
  const auto context = server_context("server");
  SUBCASE("plain HTTP") {
    Plain plain(loop, gate, context);
    plain.at_client.end_hook = [&] { plain.pair.client->close(); };
    plain.pair.client->write("GET / HTTP/1.1\r\nHost: x\r\n\r\n" + std::string(50'000, 'x'));
    REQUIRE(run_until(loop, [&] { return plain.at_server.closes == 1 && plain.at_client.closes == 1; }));
    CHECK(plain.at_server.why == "it speaks HTTP, not TLS");
    CHECK(plain.at_client.data.empty());
    CHECK(plain.at_client.why.empty());  // it saw an end and no reset
    CHECK(plain.at_server.data.empty());
  }
  SUBCASE("with an answer in plain for it") {
    std::string first;
    Pair pair(loop);
    Recorder at_server;
    Recorder at_client;
    const auto server =
        TlsStream::accept(loop, gate, Lane::client, context, std::move(pair.server), [&](std::string_view bytes) {
          first = bytes;
          return std::string("use TLS");
        });
    server->set_handler(&at_server);
    pair.client->set_handler(&at_client);
    at_client.end_hook = [&] { pair.client->close(); };
    pair.client->write("HELO there");
    REQUIRE(run_until(loop, [&] { return at_server.closes == 1 && at_client.closes == 1; }));
    CHECK(first == "HELO there");
    CHECK(at_client.data == "use TLS");
  }
  SUBCASE("a server: it answers in plain, or hangs up on a ClientHello") {
    for (const char* answer : {"HTTP/1.1 400 Bad Request\r\n\r\n", ""}) {
      Pair pair(loop);
      Recorder at_server;
      Recorder at_client;
      const auto client = TlsStream::connect(loop, gate, Lane::client, client_context(), std::move(pair.client), "n");
      client->set_handler(&at_client);
      pair.server->set_handler(&at_server);
      at_server.data_hook = [&](std::string_view) {
        pair.server->write(answer);
        pair.server->close();
      };
      REQUIRE(run_until(loop, [&] { return at_client.closes == 1; }));
      CHECK(at_client.why == TlsStream::kNoTls);
    }
  }
  SUBCASE("garbage that begins like TLS") {
    for (const std::string& bytes :
         {std::string("\x16\x03\x01\x00\x05hello", 10), std::string("\x16\x03\x03\xff\xff") + std::string(70'000, 'g'),
          std::string("\x16") + pattern(3'000), std::string("\x15\x03\x03\x00\x02\x02\x28", 7),
          std::string("\x16\x03\x01\x00\x04\x01\xff\xff\xff", 9), std::string("\x16\x03\x01\x00\x00", 5) + "\x16"}) {
      Plain plain(loop, gate, context);
      plain.pair.client->write(bytes);
      plain.at_client.end_hook = [&] { plain.pair.client->close(); };
      run_for(loop, 20);
      if (plain.at_server.closes == 0) plain.pair.client->close();
      REQUIRE(run_until(loop, [&] { return plain.at_server.closes == 1; }));
      CHECK_FALSE(plain.at_server.why.empty());
      CHECK(plain.at_server.data.empty());
    }
  }
  CHECK(gate.under_way(Lane::client) == 0);
}

TEST_CASE("HAZARDS J3, J4: openssl gets TLS 1.2 or 1.3 with ECDHE and an AEAD, and nothing else") {
  const auto ecdsa = server_context("server");
  const auto rsa = server_context("server-rsa");
  SUBCASE("accepted") {
    const Outcome plain = s_client(ecdsa, "-tls1_2", "");
    CHECK(plain.has("Cipher is ECDHE-ECDSA-AES128-GCM-SHA256"));
    CHECK(plain.has("Extended master secret: yes"));
    CHECK_FALSE(plain.has("TLS session ticket:"));
    CHECK(s_client(rsa, "-tls1_2", "").has("Cipher is ECDHE-RSA-AES128-GCM-SHA256"));
    for (const std::string suite : {"ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"})
      CHECK(s_client(rsa, "-tls1_2 -cipher " + suite, "").has("Cipher is " + suite));
    for (const std::string suite : {"ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"})
      CHECK(s_client(ecdsa, "-tls1_2 -cipher " + suite, "").has("Cipher is " + suite));
  }
  SUBCASE("TLS 1.3, where the library has it: no tickets, no other suites") {
    if (!tls_library_has_1_3()) {
      CHECK(s_client(ecdsa, "-tls1_3", "hello").has("alert handshake failure"));
      return;
    }
    const Outcome plain = s_client(ecdsa, "-tls1_3", "hello");
    CHECK(plain.has("Cipher is TLS_"));
    CHECK_FALSE(plain.has("New Session Ticket arrived"));
    CHECK(plain.server_data == "hello");
    CHECK(s_client(rsa, "-tls1_3", "").has("Peer signature type: rsa_pss_rsae_sha256"));
    CHECK(s_client(rsa, "-tls1_3 -groups X25519", "").has("Temp Key: X25519"));
    CHECK(s_client(rsa, "-tls1_3 -groups ffdhe2048:P-256", "").has("Temp Key: ECDH"));  // openssl is asked again
    CHECK(s_client(ecdsa, "", "").has("Protocol: TLSv1.3"));
    for (const std::string suite : {"TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"})
      CHECK(s_client(ecdsa, "-tls1_3 -ciphersuites " + suite, "").has("Cipher is " + suite));
    CHECK(s_client(ecdsa, "-tls1_3 -ciphersuites TLS_AES_128_CCM_SHA256", "hello").has("alert handshake failure"));
  }
  SUBCASE("versions refused") {
    for (const std::string version : {"-tls1", "-tls1_1"}) {
      const Outcome outcome = s_client(ecdsa, version + " -cipher ALL:@SECLEVEL=0", "hello");
      CHECK(outcome.has("alert protocol version"));
      CHECK(outcome.server_why.starts_with("TLS handshake failed: "));
      CHECK(outcome.server_data.empty());
    }
  }
  SUBCASE("suites refused") {
    for (const std::string suite : {"ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-CCM"}) {
      const Outcome outcome = s_client(ecdsa, "-tls1_2 -cipher " + suite + ":@SECLEVEL=0", "hello");
      CHECK(outcome.has("alert handshake failure"));
      CHECK(outcome.server_data.empty());
    }
    for (const std::string suite :
         {"AES128-GCM-SHA256", "AES128-SHA", "ECDHE-RSA-AES128-SHA256", "DHE-RSA-AES128-GCM-SHA256"}) {
      const Outcome outcome = s_client(rsa, "-tls1_2 -cipher " + suite + ":@SECLEVEL=0", "hello");
      CHECK(outcome.has("alert handshake failure"));
      CHECK(outcome.server_data.empty());
    }
  }
  SUBCASE("renegotiation refused") {
    const Outcome outcome = s_client(ecdsa, "-tls1_2", "R\\n");
    CHECK(outcome.has("RENEGOTIATING"));
    CHECK(outcome.has("no renegotiation"));
    CHECK(outcome.server_data.empty());
  }
}

TEST_CASE("HAZARDS J5: a flood of handshakes takes one expensive step a turn, and all succeed") {
  Loop loop;
  HandshakeGate gate(loop);
  const auto at_server = server_context("server");
  const auto at_client = client_context();
  std::vector<std::unique_ptr<Talk>> talks;
  for (int i = 0; i < 40; ++i) talks.push_back(std::make_unique<Talk>(loop, gate, at_server, at_client));
  for (const auto& talk : talks) talk->client->write("hello");
  uint64_t most_steps_a_turn = 0;
  uint64_t last = gate.steps();
  loop.set_turn_hook([&] {
    most_steps_a_turn = std::max(most_steps_a_turn, gate.steps() - last);
    last = gate.steps();
  });
  REQUIRE(run_until(loop, [&] {
    for (const auto& talk : talks)
      if (talk->at_server.data != "hello") return false;
    return true;
  }));
  CHECK(most_steps_a_turn == 1);
}

TEST_CASE(
    "HAZARDS J5: one silent connection too many ends the oldest; a name that is none fails, later, with a reason") {
  Loop loop;
  HandshakeGate gate(loop);
  const auto context = server_context("server");
  Plain plain(loop, gate, context);
  std::vector<std::unique_ptr<HandshakeGate::Ticket>> crowd;
  for (size_t i = 0; i < HandshakeGate::kMaxSilent; ++i)
    crowd.push_back(std::make_unique<HandshakeGate::Ticket>(
        gate, Lane::client, i, [](void*) {}, [](void*) {}, nullptr));
  CHECK(plain.at_server.closes == 0);
  REQUIRE(run_until(loop, [&] { return plain.at_server.closes == 1; }));
  CHECK(plain.at_server.why == TlsStream::kGaveWay);
  crowd.clear();

  Talk talk(loop, gate, context, client_context(), std::string(300, 'n'));
  REQUIRE(run_until(loop, [&] { return talk.at_client.closes == 1; }));
  CHECK(talk.at_client.why.starts_with("could not set up TLS: "));
}

TEST_CASE("HAZARDS J5: with all places taken by handshakes that get on, a greeting is refused") {
  Loop loop;
  HandshakeGate gate(loop);
  std::vector<std::unique_ptr<HandshakeGate::Ticket>> crowd;
  for (size_t i = 0; i < HandshakeGate::kMaxHandshakes; ++i) {
    crowd.push_back(std::make_unique<HandshakeGate::Ticket>(
        gate, Lane::client, i, [](void*) {}, [](void*) {}, nullptr));
    REQUIRE(crowd.back()->ask());
  }
  Talk talk(loop, gate, server_context("server"), client_context());
  REQUIRE(run_until(loop, [&] { return talk.at_server.closes == 1; }));
  CHECK(talk.at_server.why == TlsStream::kTooMany);
  CHECK(gate.refused() == 1);
}

TEST_CASE("HAZARDS J5: who has sent nothing in time is closed, and nobody is told that a handshake failed") {
  Loop loop;
  HandshakeGate gate(loop, 60'000, 500);
  Plain silent(loop, gate, server_context("server"));
  Plain slow(loop, gate, server_context("server"));
  slow.pair.client->write("\x16");
  REQUIRE(run_until(loop, [&] { return silent.at_server.closes == 1; }));
  CHECK(silent.at_server.why == "it sent nothing");
  CHECK(gate.failures() == 0);
  CHECK(slow.at_server.closes == 0);
  CHECK(gate.under_way(Lane::client) == 1);
}

TEST_CASE("HAZARDS J5: a handshake that takes too long is given up, at either end; its place becomes free") {
  Loop loop;
  HandshakeGate gate(loop, 40);
  const Millis start = loop.now();
  Plain silent(loop, gate, server_context("server"));
  Pair pair(loop);
  Recorder recorder;
  const auto client = TlsStream::connect(loop, gate, Lane::peer, client_context(), std::move(pair.client), "node-1");
  client->set_handler(&recorder);
  REQUIRE(run_until(loop, [&] { return silent.at_server.closes == 1 && recorder.closes == 1; }));
  CHECK(silent.at_server.why == "it sent nothing");
  CHECK(recorder.why == "the TLS handshake took too long");
  CHECK(loop.now() - start >= 39);
  CHECK(gate.under_way(Lane::client) == 0);
  CHECK(gate.under_way(Lane::peer) == 0);
}

TEST_CASE("TLS: what the turn hook writes leaves in that turn, in one record") {
  Loop loop;
  HandshakeGate gate(loop);
  Talk talk(loop, gate, server_context("server"), client_context());
  talk.client->write("x");
  REQUIRE(run_until(loop, [&] { return talk.at_server.data == "x"; }));
  int reads = 0;
  bool wrote = false;
  talk.at_client.data_hook = [&](std::string_view) { ++reads; };
  loop.set_turn_hook([&] {
    for (int i = 0; i < 50 && !wrote; ++i) talk.server->write("answer");
    wrote = true;
  });
  REQUIRE(run_until(loop, [&] { return talk.at_client.size == 300; }));
  CHECK(reads == 1);
}

TEST_CASE("HAZARDS J6: connections keep the context they began with") {
  Loop loop;
  HandshakeGate gate(loop);
  auto old = server_context("server");
  Talk talk(loop, gate, old, client_context());
  talk.client->write("before");
  REQUIRE(run_until(loop, [&] { return talk.at_server.data == "before"; }));
  old = server_context("server-rsa");
  talk.client->write(" after");
  REQUIRE(run_until(loop, [&] { return talk.at_server.data == "before after"; }));
}

TEST_CASE("RFC 9112 9.6: under TLS, too, a peer that sends five megabytes before it reads gets the answer") {
  Loop loop;
  HandshakeGate gate(loop);
  Talk talk(loop, gate, server_context("server"), client_context());
  talk.client->pause_reading();  // once the handshake is over
  bool answered = false;
  talk.at_server.data_hook = [&](std::string_view) {
    if (std::exchange(answered, true)) return;
    talk.server->write("413");
    talk.server->close();
  };
  talk.client->write("x");
  REQUIRE(run_until(loop, [&] { return answered; }));
  talk.client->write(std::string(5'000'000, 'x'));
  REQUIRE(run_until(loop, [&] { return talk.client->pending_bytes() == 0; }));
  CHECK(talk.at_client.closes == 0);
  talk.at_client.end_hook = [&] { talk.client->close(); };
  talk.client->resume_reading();
  REQUIRE(run_until(loop, [&] { return talk.at_client.closes == 1 && talk.at_server.closes == 1; }));
  CHECK(talk.at_client.data == "413");
  CHECK(talk.at_client.why.empty());
}
