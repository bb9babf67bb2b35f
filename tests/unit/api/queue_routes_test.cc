// The paths of queues and topics on a cluster of one: what a request may say, what an answer says.
#include "api/http/routes/queue_routes.h"

#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "api/http/receipts.h"
#include "fixture.h"

namespace wh::api {
namespace {

using Reply = http::test::Answer;

struct Queues : test::Fronts {
  Queues() : Fronts(kLatestVersion) {}
  Reply post(const std::string& target, const std::string& body = {}, const std::string& fields = {}) {
    return ask("POST", target, body, fields);
  }
  // The status; the sentence must name `named`.
  int status(const std::string& method, const std::string& target, const std::string& body, std::string_view named = {},
             const std::string& fields = {}) {
    const Reply answer = ask(method, target, body, fields);
    CAPTURE(target);
    CAPTURE(body);
    CAPTURE(answer.body);
    if (answer.status >= 400) CHECK(test::sentence_of(answer).find(named) != std::string::npos);
    return answer.status;
  }
  uint64_t log() { return node.raft()->log().last_index().value; }
};

std::string of(const Reply& answer, std::string_view name) {
  const std::string* value = answer.header(name);
  return value == nullptr ? "" : *value;
}

http::Request with(const std::string& name, const std::string& value) {
  http::Request request;
  request.headers.push_back({name, value});
  return request;
}

}  // namespace

TEST_CASE("receipts name one delivery of one event, and any other text is none") {
  const std::string good = format_receipt({12, 34}, "q");
  CHECK(good.starts_with("12-34."));
  CHECK(parse_receipt(good, "q", 12) == machine::Receipt{12, 34});
  CHECK_FALSE(parse_receipt(good, "q", 11).has_value());
  CHECK_FALSE(parse_receipt(good, "other", 12).has_value());
  const std::string check = good.substr(good.find('.'));
  for (const char* text :
       {"", "-", "12", "12-", "-34", "12-0", "0-34", "012-34", "12-034", "12-34-", "12-34-5", "12-35", "13-34",
        " 12-34", "12 34", "12-+3", "11-34", "12-18446744073709551616", "9007199254740992-1"}) {
    CHECK_FALSE(parse_receipt(text, "q", 12).has_value());
    CHECK_FALSE(parse_receipt(text + check, "q", 12).has_value());
  }
  CHECK_FALSE(parse_receipt("12-34", "q", 12).has_value());
  CHECK_FALSE(parse_event_id("9007199254740992").has_value());
  CHECK(parse_event_id("9007199254740991") == 9'007'199'254'740'991);
  Prng random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string text = format_receipt({1 + random.below(1'000), 1 + random.below(1'000)}, "q");
    text[random.below(text.size())] = static_cast<char>(random.below(128));
    const auto id = parse_event_id(text.substr(0, text.find('-')));
    if (const auto receipt = parse_receipt(text, "q", id.value_or(0))) CHECK(format_receipt(*receipt, "q") == text);
  }
}

TEST_CASE("Prefer and Accept: the lists that these headers may be") {
  const auto prefers = [](const std::string& value) { return prefers_representation(with("prefer", value)); };
  CHECK(prefers("return=representation"));
  CHECK(prefers("respond-async, Return = \"representation\"; x=1"));
  CHECK_FALSE(prefers("return=minimal, return=representation"));
  CHECK_FALSE(prefers("representation"));
  CHECK_FALSE(prefers(""));
  const auto form = [](const std::string& value) { return accepted_form(with("ACCEPT", value)); };
  CHECK(form("*/*") == EventForm::as_it_came);
  CHECK(form("application/json") == EventForm::json);
  CHECK(form("text/html, Application/JSON;q=0.5, */*") == EventForm::json);
  CHECK(form("application/json;q=0") == EventForm::as_it_came);
  CHECK(form("application/json;q=0.5, application/cloudevents+json;q=0.9") == EventForm::structured);
  CHECK(form("application/cloudevents-batch+json") == EventForm::batched);
  CHECK(form(",;,") == EventForm::as_it_came);
}

TEST_CASE("an event goes in with its terms and attributes and comes out as it came") {
  Queues q;
  const Reply put = q.post("/queues/orders/events?priority=0&group=g", std::string("\0\xff", 2),
                           "Content-Type: image/png\r\nWormhole-Attribute-Trace: a%20b\xc3\xa9\r\n");
  CHECK(put.status == 201);
  CHECK(put.body.empty());
  const std::string id = of(put, "Wormhole-Event-Id");
  CHECK(of(put, "Location") == "/queues/orders/events/" + id);
  const Reply front = q.ask("GET", "/queues/orders/front");
  CHECK(front.status == 200);
  CHECK(front.body == std::string("\0\xff", 2));
  CHECK(of(front, "Content-Type") == "image/png");
  CHECK(of(front, "ETag") == "\"" + id + "\"");
  CHECK(of(front, "Wormhole-Event-Id") == id);
  CHECK(of(front, "Wormhole-Deliveries") == "0");
  CHECK(of(front, "Wormhole-Attribute-trace") == "a%20b%C3%A9");
  CHECK(of(front, "X-Content-Type-Options") == "nosniff");
  CHECK(q.ask("GET", "/queues/orders/front", "", "If-None-Match: \"" + id + "\"\r\n").status == 304);
  CHECK(q.ask("GET", "/queues/orders/front", "", "If-Match: \"99\"\r\n").status == 412);
  const Reply shown = q.ask("GET", "/queues/orders/events/" + id);
  CHECK(shown.status == 200);
  CHECK(shown.body.starts_with("{\"id\":" + id + ",\"deliveries\":0,\"enqueued_at\":"));
  CHECK(shown.body.find("\"content_type\":\"image/png\",\"attributes\":{\"trace\":\"a b\xc3\xa9\"},\"group\":\"g\","
                        "\"priority\":0,\"data_base64\":\"AP8=\",\"state\":\"ready\",\"visible_at\":null}") !=
        std::string::npos);
  // /event is a queue as any other.
  CHECK(q.post("/event", "raw", "Content-Type: text/plain\r\n").status == 201);
  CHECK(q.ask("GET", "/event").body == "raw");
  CHECK(of(q.ask("GET", "/queues/event/front"), "Content-Type") == "text/plain");
  CHECK(q.post("/event", "event=form", test::kForm).status == 201);
  CHECK(of(q.ask("GET", "/queues/orders/front?consistency=stale"), "Wormhole-Last-Contact").size() > 0);
}

TEST_CASE("what an event may not be is 400, in a sentence that says why, and changes nothing") {
  Queues q;
  const uint64_t before = q.log();
  const auto bad = [&](const std::string& query, std::string_view named, const std::string& fields = {},
                       const std::string& body = "e") {
    CHECK(q.status("POST", "/queues/q/events" + query, body, named, fields) == 400);
  };
  bad("?delay=1x", "delay is a number and ms, s, m, h or d");
  bad("?delay=3654d", "delay is from 0ms to 3653d");
  bad("?delay=99999999999999999999d", "delay is from 0ms to 3653d");
  bad("?delay=99999999999999999999x", "delay is a number and");
  bad("?delay=d", "delay is a number and");
  bad("?deliver_at=2026-11-30T18:00:00+02:00", "%2B");
  bad("?deliver_at=2026-11-30%2018:00", "RFC 3339");
  bad("?delay=-1s", "delay");
  bad("?delay=", "delay");
  bad("?ttl=0", "ttl");
  bad("?deliver_at=tomorrow", "RFC 3339");
  bad("?ttl=1s&delay=5s", "never be delivered");
  bad("?ttl=5s&delay=5s", "never be delivered");
  bad("?delay=1s&deliver_at=2026-11-30T00:00:00Z", "not both");
  bad("?priority=10", "priority is a number from 0 to 9");
  bad("?priority=-1", "priority");
  bad("?group=", "group");
  bad("?group=" + std::string(129, 'g'), "group");
  bad("?group=a%0Ab", "group");
  bad("?dely=1s", "did you mean 'delay'?");
  bad("", "an event must not be empty", "", "");
  bad("", "content type", "Content-Type: text\r\n");
  bad("", "given twice", "Wormhole-Attribute-a: 1\r\nwormhole-attribute-A: 2\r\n");
  bad("", "the attribute a", "Wormhole-Attribute-a: a%0D%0Ab\r\n");
  bad("", "the attribute a", "Wormhole-Attribute-a: %ff\r\n");
  bad("", "specversion", "ce-id: 1\r\n");
  bad("", "8192 bytes", "Wormhole-Attribute-a: " + std::string(8192, 'a') + "\r\n");
  CHECK(q.status("POST", "/queues/a%20b/events", "e", "'a b' has others") == 400);
  CHECK(q.status("POST", "/queues/" + std::string(129, 'q') + "/events", "e", "at most 128 bytes") == 400);
  CHECK(q.status("GET", "/queues/%FF/front", "", "has others") == 400);
  CHECK(q.status("POST", "/queues/q/events", "e", "CloudEvent", "Content-Type: application/cloudevents+avro\r\n") ==
        415);
  CHECK(q.log() == before);
  CHECK(q.post("/queues/" + std::string(128, 'q') + ".dead/events", "e").status == 201);
  CHECK(q.post("/queues/q/events?deliver_at=1937-01-01T00:00:00Z&ttl=3653d&priority=9", "e").status == 201);
}

TEST_CASE("a batch: JSON or a line each, all or nothing, ids in order") {
  Queues q;
  const Reply both = q.post("/queues/q/batch",
                            R"([{"data":"a","content_type":"text/plain","attributes":{"k":"v \u00e9"},"priority":1,)"
                            R"("group":"g","ttl":"1h"},{"data_base64":"AP8=","delay":0},{"data":"c","delay":"1s"}])",
                            "Content-Type: application/json\r\n");
  CHECK(both.status == 201);
  CHECK(both.body.starts_with("{\"ids\":["));
  const Reply lines =
      q.post("/queues/q/batch", "{\"data\":\"d\"}\n\n {\"data\":\"e\"} \r\n", "Content-Type: application/x-ndjson\r\n");
  CHECK(lines.status == 201);
  CHECK(q.ask("GET", "/queues/q").body.find("\"ready\":4,\"delayed\":1,\"reserved\":0,\"bytes\":") !=
        std::string::npos);
  CHECK(of(q.ask("GET", "/queues/q/front"), "Wormhole-Attribute-k") == "v%20%C3%A9");
  const uint64_t before = q.log();
  for (const auto& [body, named] : std::vector<std::pair<std::string, std::string>>{
           {"", ""},
           {"{}", "JSON array"},
           {"[]", "1 to 1000"},
           {"[1]", "the event 0"},
           {R"([{"data":"a"},{}])", "the event 1 of the batch"},
           {R"([{"data":""}])", "empty"},
           {R"([{"data":"a","data_base64":"AA=="}])", "not both"},
           {R"([{"data":5}])", "data is a string"},
           {R"([{"data":"a","data":"b"}])", "given twice"},
           {R"([{"dta":"a"}])", "did you mean 'data'?"},
           {R"([{"data":"a","content_type":"a\r\nb"}])", "content type"},
           {R"([{"data":"a","attributes":{"a":"x\r\ny"}}])", "the attribute a"},
           {R"([{"data":"a","attributes":{"A":"x"}}])", "attribute's name"},
           {R"([{"data":"a","attributes":{"a":1}}])", "'a' is a string"},
           {R"([{"data":"a","attributes":[]}])", "object of strings"},
           {R"([{"data":"a","priority":10}])", "priority"},
           {R"([{"data":"a","priority":"1"}])", "priority"},
           {R"([{"data":"a","delay":-1}])", "delay"},
           {R"([{"data":"a","delay":1.5}])", "delay"},
           {R"([{"data":"a","deliver_at":5}])", "deliver_at is a string"},
           {R"([{"data":"a","delay":1,"deliver_at":"2026-11-30T00:00:00Z"}])", "not both"},
           {R"([{"data":"a","idempotency_key":""}])", "idempotency_key"},
           {R"([{"data":"a"},{"data":"a","group":""}])", "the event 1 of the batch: group is not empty"},
           {R"([{"data":"a"},{"data":"a","group":"a\nb"}])", "the event 1 of the batch: a group is 1 to 128"},
           {R"([{"data":"a"},{"data":"a","ttl":1,"delay":"2s"}])", "the event 1 of the batch: the delay is not below"},
           {"", "a batch is a JSON array of events, and the body is empty"},
           {"[]", "this one has none"},
           {R"([{"data_base64":"A"}])", "base64"}})
    CHECK(q.status("POST", "/queues/q/batch", body, named) == 400);
  std::string many = "[";
  for (int i = 0; i < 1'001; ++i) many += std::string(i == 0 ? "" : ",") + R"({"data":"x"})";
  CHECK(q.status("POST", "/queues/q/batch", many + "]", "1 to 1000") == 400);
  CHECK(q.status("POST", "/queues/q/batch", "{\"data\":\"a\"}\n{", "the event 1",
                 "Content-Type: application/x-ndjson\r\n") == 400);
  CHECK(q.log() == before);
  // A key of its own for each item.
  const std::string keyed = R"([{"data":"k","idempotency_key":"1"},{"data":"k","idempotency_key":"1"},{"data":"l"}])";
  const Reply first = q.post("/queues/k/batch", keyed);
  CHECK(first.status == 201);
  CHECK(q.ask("GET", "/queues/k").body.find("\"ready\":2") != std::string::npos);
  CHECK(q.post("/queues/k/batch", keyed).body.substr(0, 12) == first.body.substr(0, 12));
  CHECK(q.ask("GET", "/queues/k").body.find("\"ready\":3") != std::string::npos);
  CHECK(q.post("/queues/k/batch", R"([{"data":"other","idempotency_key":"1"}])").status == 422);
}

TEST_CASE("deliveries: received, and each verb on them, by a receipt that is good once") {
  Queues q;
  for (const char* event : {"a", "b", "c", "d"}) CHECK(q.post("/queues/q/events", event).status == 201);
  const Reply one = q.post("/queues/q/receive");
  CHECK(one.status == 200);
  CHECK(one.body == "a");
  CHECK(of(one, "Wormhole-Deliveries") == "1");
  const std::string id = of(one, "Wormhole-Event-Id");
  const std::string receipt = of(one, "Wormhole-Receipt");
  const std::string event = "/queues/q/events/" + id;
  CHECK(q.ask("GET", event).body.find("\"state\":\"reserved\",\"visible_at\":\"") != std::string::npos);
  const Reply extended = q.post(event + "/extend?visibility_timeout=1h&receipt=" + receipt);
  CHECK(extended.status == 200);
  CHECK(extended.body.starts_with("{\"visible_at\":\""));
  CHECK(q.status("POST", event + "/extend?visibility_timeout=13h&receipt=" + receipt, "", "12h") == 400);
  CHECK(q.status("POST", event + "/extend", "", "receipt is missing") == 400);
  CHECK(q.status("POST", event + "/extend?receipt=nonsense", "", "no receipt of event " + id) == 400);
  CHECK(q.status("DELETE", "/queues/q/events/x?receipt=" + receipt, "", "number below 2^53") == 400);
  CHECK(q.status("DELETE", "/queues/q/events/999?receipt=" + receipt, "", "no receipt of event 999") == 400);
  CHECK(q.post(event + "/release?receipt=" + receipt).status == 204);
  CHECK(q.status("POST", event + "/release?receipt=" + receipt, "", "not valid any more") == 409);
  const Reply again = q.post("/queues/q/receive");
  CHECK(again.body == "a");
  CHECK(of(again, "Wormhole-Deliveries") == "2");
  // A late acknowledgement removes nothing.
  CHECK(q.status("DELETE", event + "?receipt=" + receipt, "", "delivered again") == 409);
  CHECK(q.ask("DELETE", event + "?receipt=" + of(again, "Wormhole-Receipt")).status == 204);
  CHECK(q.ask("DELETE", event + "?receipt=" + of(again, "Wormhole-Receipt")).status == 204);
  CHECK(q.status("POST", event + "/extend?receipt=" + receipt, "", "is gone") == 409);

  const Reply many = q.post("/queues/q/receive?max=100&visibility_timeout=1m&wait=0");
  CHECK(many.status == 200);
  CHECK(of(many, "Content-Type") == "application/json");
  CHECK(many.body.starts_with("[{\"id\":"));
  CHECK(many.body.find("\"data\":\"b\",\"receipt\":\"") != std::string::npos);
  CHECK(q.post("/queues/q/receive").status == 204);
  CHECK(q.post("/queues/none/receive").status == 204);
  CHECK(q.ask("GET", "/queues/none").status == 404);
  CHECK(q.status("POST", "/queues/q/receive?max=101", "", "1 to 100") == 400);
  CHECK(q.status("POST", "/queues/q/receive?wait=61s", "", "wait is from 0ms to 1m") == 400);
  CHECK(q.status("POST", "/queues/q/receive?visibility_timeout=0", "", "1s to 12h") == 400);
  // All four outcomes, in the order asked.
  const auto field = [&](std::string_view text, const std::string& name, size_t nth) {
    size_t at = 0;
    for (size_t i = 0; i <= nth; ++i) at = text.find("\"" + name + "\":", at) + name.size() + 3;
    const size_t end = text.find_first_of(",}", at);
    return std::string(text.substr(at, end - at));
  };
  const std::string b = field(many.body, "id", 0);
  const std::string c = field(many.body, "id", 1);
  const std::string body = "[{\"id\":" + b + ",\"receipt\":" + field(many.body, "receipt", 0) + "},{\"id\":" + id +
                           ",\"receipt\":\"" + receipt + "\"},{\"id\":" + c + ",\"receipt\":\"" +
                           format_receipt({std::stoull(c), 1}, "q") + "\"},{\"id\":" + c + ",\"receipt\":\"" + receipt +
                           "\"}]";
  const Reply acked = q.post("/queues/q/ack", body);
  CHECK(acked.status == 200);
  CHECK(of(acked, "Wormhole-Failed") == "3");
  CHECK(acked.body == "[{\"id\":" + b + ",\"outcome\":\"acknowledged\"},{\"id\":" + id +
                          ",\"outcome\":\"gone\"},{\"id\":" + c + ",\"outcome\":\"stale\"},{\"id\":" + c +
                          ",\"outcome\":\"invalid\"}]\n");
  const std::string held = "[{\"id\":" + c + ",\"receipt\":" + field(many.body, "receipt", 1) + "}]";
  CHECK(q.post("/queues/q/extend?visibility_timeout=2m", held).body.find("\"extended\"") != std::string::npos);
  CHECK(q.post("/queues/q/release?delay=1m", held).body.find("\"released\"") != std::string::npos);
  const Reply invalid = q.post("/queues/q/ack", "[{\"id\":1,\"receipt\":\"x\"}]");
  CHECK(invalid.status == 200);
  CHECK(invalid.body == "[{\"id\":1,\"outcome\":\"invalid\"}]\n");
  CHECK(of(invalid, "Wormhole-Failed") == "1");
  for (const char* bad : {"", "{}", "[]", "[1]", "[{}]", R"([{"id":1}])", R"([{"id":"1","receipt":"1-1"}])",
                          R"([{"id":1,"receipt":1}])", R"([{"id":1,"receipt":"1-1","x":1}])"})
    CHECK(q.status("POST", "/queues/q/ack", bad) == 400);
  CHECK(q.status("POST", "/queues/q/ack", "", "is expected, and the body is empty") == 400);
  CHECK(q.status("POST", "/queues/q/ack", "[]", "this one has none") == 400);
  CHECK(q.status("POST", "/queues/none/ack", "[{\"id\":1,\"receipt\":\"" + format_receipt({1, 1}, "none") + "\"}]",
                 "no queue none") == 404);
  CHECK(q.status("POST", "/queues/none/ack", "[{\"id\":1,\"receipt\":\"x\"}]", "no queue none") == 404);
  CHECK(q.status("DELETE", "/queues/none/events/1?receipt=" + format_receipt({1, 1}, "none"), "", "no queue none") ==
        404);
}

TEST_CASE("a buried event is in the dead letter queue, says why, and comes back by redrive") {
  Queues q;
  q.post("/queues/q/events", "poison", "Content-Type: text/plain\r\n");
  const Reply got = q.post("/queues/q/receive");
  const std::string id = of(got, "Wormhole-Event-Id");
  const std::string receipt = of(got, "Wormhole-Receipt");
  CHECK(q.status("POST", "/queues/q/events/" + id + "/bury?reason=" + std::string(257, 'r') + "&receipt=" + receipt, "",
                 "256 bytes") == 400);
  CHECK(q.post("/queues/q/events/" + id + "/bury?reason=no%20use&receipt=" + receipt).status == 204);
  CHECK(q.ask("DELETE", "/queues/q/events/" + id + "?receipt=" + receipt).status == 409);
  const Reply dead = q.ask("GET", "/queues/q.dead/events/" + id);
  CHECK(dead.status == 200);
  CHECK(dead.body.find("\"reason\":\"no use\",\"source_queue\":\"q\"}") != std::string::npos);
  CHECK(q.status("POST", "/queues/q/redrive", "", "from is missing") == 400);
  CHECK(q.status("POST", "/queues/q/redrive?from=q", "", "into itself") == 400);
  CHECK(q.status("POST", "/queues/q/redrive?from=none", "", "no queue none") == 404);
  CHECK(q.status("POST", "/queues/q/redrive?from=q.dead&max=1001", "", "1 to 1000") == 400);
  CHECK(q.post("/queues/q/redrive?from=q.dead").body == "{\"moved\":1}\n");
  CHECK(of(q.ask("GET", "/queues/q/front"), "Content-Type") == "text/plain");
}

TEST_CASE("settings: numbers, durations, names, lists, and null for the default") {
  Queues q;
  const Reply made = q.ask("PUT", "/queues/q");
  CHECK(made.status == 200);
  CHECK(made.body ==
        R"({"visibility_timeout":"30s","max_deliveries":20,"delay":"0ms","max_length":0,"max_bytes":0,"ttl":"0ms",)"
        R"("dedup_window":"10m","overflow":"refuse","on_expiry":"drop","dead_letter_queue":"q.dead","backoff":[]})"
        "\n");
  const std::string all =
      R"({"visibility_timeout":45,"max_deliveries":"5","max_bytes":"1mb","ttl":"1h","overflow":"drop_oldest",)"
      R"("on_expiry":"dead_letter","dead_letter_queue":"graves","backoff":["500ms",2,"1m"]})";
  CHECK(q.ask("PUT", "/queues/q", all).body ==
        R"({"visibility_timeout":"45s","max_deliveries":5,"delay":"0ms","max_length":0,"max_bytes":1048576,"ttl":"1h",)"
        R"("dedup_window":"10m","overflow":"drop_oldest","on_expiry":"dead_letter","dead_letter_queue":"graves",)"
        R"("backoff":["500ms","2s","1m"]})"
        "\n");
  // Those not named stay.
  CHECK(q.ask("PUT", "/queues/q", R"({"ttl":null,"dead_letter_queue":"","backoff":null})")
            .body.find(R"("max_bytes":1048576,"ttl":"0ms")") != std::string::npos);
  CHECK(q.ask("GET", "/queues/q").body.find(R"("dead_letter_queue":"","backoff":[])") != std::string::npos);
  for (const auto& [body, named] : std::vector<std::pair<std::string, std::string>>{
           {R"({"ttll":"1h"})", "did you mean 'ttl'?"},
           {R"({"colour":"red"})", "dead_letter_queue and backoff"},
           {R"({"visibility_timeout":"0s"})", "visibility_timeout is from 1s to 12h"},
           {R"({"max_deliveries":-1})", "max_deliveries is from 0 to 1000000"},
           {R"({"max_deliveries":true})", "max_deliveries"},
           {R"({"overflow":"burst"})", "overflow is refuse or drop_oldest"},
           {R"({"dead_letter_queue":5})", "dead_letter_queue"},
           {R"({"dead_letter_queue":"a b"})", "dead_letter_queue"},
           {R"({"dead_letter_queue":"q"})", "would come back"},
           {R"({"backoff":"1s"})", "list of durations"},
           {R"({"backoff":["1s",{}]})", "a delay of backoff"},
           {R"({"ttl":"1h","ttl":"2h"})", "given twice"},
           {"[]", "JSON object"},
           {"{", "JSON"}})
    CHECK(q.status("PUT", "/queues/q", body, named) == 400);
  CHECK(q.ask("PUT", "/cluster/settings", R"({"default_overflow":"burst"})").body.find("is refuse or drop_oldest") !=
        std::string::npos);
  CHECK(q.ask("PUT", "/cluster/settings", R"({"default_overflow":"drop_oldest","max_queues":3})").status == 200);
  CHECK(q.ask("PUT", "/queues/r").body.find("\"overflow\":\"drop_oldest\"") != std::string::npos);
  CHECK(q.ask("PUT", "/queues/s").status == 200);
  CHECK(q.status("PUT", "/queues/t", "", "max_queues") == 429);
}

TEST_CASE("queues: counts, lists, pauses, limits, purge, deletion") {
  Queues q;
  CHECK(q.ask("PUT", "/queues/a", R"({"max_length":2})").status == 200);
  CHECK(q.post("/queues/a/events", "1").status == 201);
  CHECK(q.post("/queues/a/events", "2").status == 201);
  const Reply full = q.post("/queues/a/events", "3");
  CHECK(full.status == 429);
  CHECK(of(full, "Retry-After") == "1");
  CHECK(of(full, "Wormhole-Outcome") == "not-applied");
  for (const char* word : {"a", "max_length", "2"}) CHECK(test::sentence_of(full).find(word) != std::string::npos);
  CHECK(q.status("POST", "/queues/a/batch", R"([{"data":"3"},{"data":"4"}])", "has 2 of 2 events") == 429);
  CHECK(q.status("POST", "/queues/a/batch", R"([{"data":"3"},{"data":"4"}])", "this brings 2") == 429);
  CHECK(q.post("/queues/a/pause?direction=out").status == 200);
  CHECK(q.ask("GET", "/queues/a/front").status == 204);
  CHECK(q.post("/queues/a/receive").status == 204);
  CHECK(q.ask("GET", "/queues/a").body.find("\"paused\":\"out\"") != std::string::npos);
  CHECK(q.post("/queues/a/pause").status == 200);
  CHECK(q.ask("GET", "/queues/a").body.find("\"paused\":\"all\"") != std::string::npos);
  CHECK(q.status("POST", "/queues/a/pause?direction=up", "", "in, out or all") == 400);
  CHECK(q.post("/queues/a/purge").body == "{\"removed\":2}\n");
  CHECK(q.status("POST", "/queues/a/events", "3", "POST /queues/a/resume, or PAUSE a none") == 429);
  CHECK(q.post("/queues/a/resume").status == 200);
  CHECK(q.ask("GET", "/queues/a").body.find("\"paused\":\"\"") != std::string::npos);
  for (const char* name : {"b1", "b2", "b3"}) CHECK(q.ask("PUT", "/queues/" + std::string(name)).status == 200);
  const Reply list = q.ask("GET", "/queues?prefix=b&limit=2");
  CHECK(list.body.starts_with("[{\"name\":\"b1\""));
  CHECK(list.body.find("\"b3\"") == std::string::npos);
  CHECK(of(list, "Link") == "</queues?limit=2&prefix=b&after=b2>; rel=\"next\"");
  const Reply rest = q.ask("GET", "/queues?limit=2&prefix=b&after=b2");
  CHECK(rest.body.starts_with("[{\"name\":\"b3\""));
  CHECK(rest.header("Link") == nullptr);
  CHECK(q.ask("GET", "/queues?prefix=zz").body == "[]\n");
  CHECK(q.command({"rpush", "\xff\n", "x"}) == ":1\r\n");
  CHECK(q.ask("GET", "/queues?after=b3").body.starts_with("[{\"name_base64\":\"/wo=\""));
  CHECK(q.ask("PUT", "/queues/b1", R"({"dead_letter_queue":"b2"})").status == 200);
  CHECK(q.status("DELETE", "/queues/b2", "", "the queue b1 names b2 as its dead_letter_queue") == 409);
  CHECK(q.ask("DELETE", "/queues/b1").status == 204);
  CHECK(q.ask("DELETE", "/queues/b2").status == 204);
  CHECK(q.status("DELETE", "/queues/b2", "", "no queue b2") == 404);
  for (const char* verb : {"pause", "resume", "purge"})
    CHECK(q.status("POST", "/queues/b2/" + std::string(verb), "", "no queue b2") == 404);
}

TEST_CASE("events are removed by their ids, and each is told what became of it") {
  Queues q;
  std::vector<std::string> ids;
  for (const char* event : {"1", "2", "3"})
    ids.push_back(of(q.post("/queues/q/events?priority=" + std::string(event), event), "Wormhole-Event-Id"));
  ids.push_back(of(q.post("/queues/q/events?delay=1h", "later"), "Wormhole-Event-Id"));
  REQUIRE(of(q.post("/queues/q/receive"), "Wormhole-Event-Id") == ids[0]);
  const auto item = [](const std::string& id) { return "{\"id\":" + id + "}"; };
  const auto told = [](const std::string& id, const char* outcome) {
    return "{\"id\":" + id + ",\"outcome\":\"" + outcome + "\"}";
  };
  const std::string body = "[" + item(ids[3]) + "," + item(ids[0]) + "," + item(ids[1]) + "," + item(ids[1]) + "]";
  const Reply removed = q.post("/queues/q/remove", body);
  CHECK(removed.status == 200);
  CHECK(removed.body == "[" + told(ids[3], "removed") + "," + told(ids[0], "reserved") + "," + told(ids[1], "removed") +
                            "," + told(ids[1], "gone") + "]\n");
  CHECK(of(removed, "Wormhole-Failed") == "2");
  CHECK(!of(removed, "Wormhole-Index").empty());
  const std::string shown = q.ask("GET", "/queues/q").body;
  for (const char* figure : {"\"ready\":1,", "\"delayed\":0,", "\"reserved\":1,", "\"acknowledged_total\":0,"})
    CHECK(shown.find(figure) != std::string::npos);
  for (const char* bad : {"", "{}", "[]", "[1]", "[{}]", R"([{"id":"1"}])", R"([{"id":0}])", R"([{"id":1.5}])",
                          R"([{"id":1,"receipt":"1-1"}])", R"([{"id":1,"id":1}])"})
    CHECK(q.status("POST", "/queues/q/remove", bad) == 400);
  CHECK(q.status("POST", "/queues/q/remove", "[]", "1 to 1000 events, and this one has none") == 400);
  CHECK(q.status("POST", "/queues/none/remove", item("1").insert(0, "[") + "]", "no queue none") == 404);
  CHECK(q.status("POST", "/queues/a b/remove", "[{\"id\":1}]") == 400);
}

TEST_CASE("the list of a queue's events goes on where it ended, by state, and changes nothing") {
  Queues q;
  std::set<std::string> sent;
  for (int i = 0; i < 7; ++i) sent.insert(of(q.post("/queues/q/events", std::to_string(i)), "Wormhole-Event-Id"));
  CHECK(q.post("/queues/q/events?delay=1h", "late").status == 201);
  q.post("/queues/q/receive?max=2");
  const uint64_t digest = q.node.machine().digest();
  std::set<std::string> seen;
  std::string target = "/queues/q/events?state=ready&limit=2";
  for (int pages = 0; !target.empty(); ++pages) {
    REQUIRE(pages < 5);
    const Reply page = q.ask("GET", target);
    CHECK(page.status == 200);
    for (size_t at = page.body.find("{\"id\":"); at != std::string::npos; at = page.body.find("{\"id\":", at + 1))
      CHECK(seen.insert(page.body.substr(at + 6, page.body.find(',', at) - at - 6)).second);
    CHECK(page.body.find("receipt") == std::string::npos);
    const std::string link = of(page, "Link");
    target = link.empty() ? "" : link.substr(1, link.find('>') - 1);
  }
  CHECK(seen.size() == 5);
  for (const std::string& id : seen) CHECK(sent.contains(id));
  CHECK(q.ask("GET", "/queues/q/events?state=delayed").body.find("\"data\":\"late\",\"state\":\"delayed\"") !=
        std::string::npos);
  CHECK(q.ask("GET", "/queues/q/events?state=reserved").body.find("\"deliveries\":1") != std::string::npos);
  CHECK(q.status("GET", "/queues/q/events?state=new", "", "ready, delayed or reserved") == 400);
  CHECK(q.status("GET", "/queues/q/events?limit=0", "", "1 to 1000") == 400);
  CHECK(q.status("GET", "/queues/none/events", "", "no queue none") == 404);
  CHECK(q.status("GET", "/queues/none/events/1", "", "no queue none") == 404);
  CHECK(q.status("GET", "/queues/q/events/999", "", "no event 999") == 404);
  CHECK(q.node.machine().digest() == digest);
}

TEST_CASE("topics: bindings, filters, how many copies were made") {
  Queues q;
  CHECK(q.status("POST", "/topics/t/events", "e", "bind a queue") == 404);
  CHECK(q.ask("PUT", "/topics/t/queues/all").status == 201);
  CHECK(q.ask("PUT", "/topics/t/queues/some", R"({"filter":{"type":"order.*","a":"?"}})").status == 201);
  CHECK(q.ask("PUT", "/topics/t/queues/some", R"({"filter":{"type":"order.*"}})").status == 204);
  CHECK(q.ask("GET", "/topics/t").body ==
        R"({"name":"t","queues":[{"name":"all","filter":{}},{"name":"some","filter":{"type":"order.*"}}]})"
        "\n");
  CHECK(q.ask("GET", "/topics").body.starts_with("[{\"name\":\"t\""));
  for (const auto& [body, named] : std::vector<std::pair<std::string, std::string>>{
           {R"({"filter":[]})", "object of attributes"},
           {R"({"filter":{"a":1}})", "'a' is a string"},
           {R"({"filter":{"A":"x"}})", "attribute's name"},
           {R"({"filtr":{}})", "'filter' is"},
           {R"({"filter":{"a":"x","a":"y"}})", "given twice"},
           {R"({"filter":{"a":")" + std::string(257, 'x') + "\"}}", "256 bytes"}})
    CHECK(q.status("PUT", "/topics/t/queues/some", body, named) == 400);
  CHECK(of(q.post("/topics/t/events", "1", "Wormhole-Attribute-type: order.new\r\n"), "Wormhole-Queues") == "2");
  CHECK(of(q.post("/topics/t/events", "2", "Wormhole-Attribute-type: mail\r\n"), "Wormhole-Queues") == "1");
  CHECK(q.ask("GET", "/queues/some").body.find("\"ready\":1") != std::string::npos);
  CHECK(q.post("/queues/some/pause?direction=in").status == 200);
  CHECK(q.status("POST", "/topics/t/events", "3", "some", "Wormhole-Attribute-type: order.new\r\n") == 429);
  CHECK(q.ask("GET", "/queues/all").body.find("\"ready\":2") != std::string::npos);
  CHECK(q.ask("DELETE", "/topics/t/queues/some").status == 204);
  CHECK(q.status("DELETE", "/topics/t/queues/some", "", "not bound") == 404);
  CHECK(q.ask("DELETE", "/topics/t/queues/all").status == 204);
  CHECK(q.status("GET", "/topics/t", "", "no topic t") == 404);
  CHECK(q.status("GET", "/topics/a%20b", "", "has others") == 400);
}

TEST_CASE("one key, whichever path and mode: an event is the same, and another is 422") {
  Queues q;
  const std::string ce =
      "ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /s\r\nce-type: t\r\nContent-Type: text/plain\r\n";
  const std::string structured =
      R"({"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":"text/plain","data":"d"})";
  const std::string as_structured = "Content-Type: application/cloudevents+json; charset=utf-8\r\n";
  const Reply first = q.post("/queues/event/events", "d", ce);
  CHECK(first.status == 201);
  CHECK(first.header("Idempotency-Replayed") == nullptr);
  const std::string id = of(first, "Wormhole-Event-Id");
  for (const Reply& again :
       {q.post("/queues/event/events", "d", ce), q.post("/event", "d", ce), q.post("/event", structured, as_structured),
        q.post("/queues/event/events", structured, as_structured)}) {
    CHECK(again.status == 201);
    CHECK(of(again, "Wormhole-Event-Id") == id);
    CHECK(of(again, "Idempotency-Replayed") == "true");
  }
  const Reply batch = q.post("/event", "[" + structured + "]", "Content-Type: application/cloudevents-batch+json\r\n");
  CHECK(batch.status == 201);
  CHECK(of(batch, "Wormhole-Event-Id") == id);
  CHECK(q.command({"llen", "event"}) == ":1\r\n");
  CHECK(q.post("/event", "other", ce).status == 422);
  // Another queue, and a topic, are other scopes.
  CHECK(q.post("/queues/other/events", "d", ce).header("Idempotency-Replayed") == nullptr);
  CHECK(q.ask("PUT", "/topics/event/queues/bound").status == 201);
  CHECK(of(q.post("/topics/event/events", "d", ce), "Wormhole-Queues") == "1");
  const Reply published = q.post("/topics/event/events", structured, as_structured);
  CHECK(of(published, "Wormhole-Queues") == "1");
  CHECK(of(published, "Idempotency-Replayed") == "true");
  const std::string two = "[" + structured + R"(,{"specversion":"1.0","id":"2","source":"/s","type":"t","data":1}])";
  CHECK(of(q.post("/topics/event/events", two, "Content-Type: application/cloudevents-batch+json\r\n"),
           "Wormhole-Queues") == "1");
  CHECK(q.ask("GET", "/queues/bound").body.find("\"ready\":2") != std::string::npos);

  // A key that the client chose: each part of the meaning changed in turn.
  const std::string key = "Idempotency-Key: k\r\n";
  const Reply plain = q.post("/queues/i/events?priority=1", "e", key + "Content-Type: a/b\r\n");
  CHECK(plain.status == 201);
  CHECK(of(q.post("/queues/i/events?priority=1", "e", key + "Content-Type: a/b\r\nUser-Agent: x\r\nDate: y\r\n"),
           "Idempotency-Replayed") == "true");
  CHECK(q.post("/queues/i/events?priority=2", "e", key + "Content-Type: a/b\r\n").status == 422);
  CHECK(q.post("/queues/i/events?priority=1", "f", key + "Content-Type: a/b\r\n").status == 422);
  CHECK(q.post("/queues/i/events?priority=1", "e", key + "Content-Type: a/c\r\n").status == 422);
  CHECK(q.post("/queues/i/events?priority=1&group=g", "e", key + "Content-Type: a/b\r\n").status == 422);
  CHECK(q.post("/queues/i/events?priority=1&ttl=1h", "e", key + "Content-Type: a/b\r\n").status == 422);
  CHECK(q.post("/queues/i/events?priority=1", "e", key + "Content-Type: a/b\r\nWormhole-Attribute-a: 1\r\n").status ==
        422);
  CHECK(q.ask("DELETE", "/queues/i/front", "", "Idempotency-Key: d\r\n").status == 204);
  CHECK(q.ask("DELETE", "/queues/i/front", "", "Idempotency-Key: d\r\nPrefer: return=representation\r\n").status ==
        422);
  CHECK(of(q.ask("DELETE", "/queues/i/front", "", "Idempotency-Key: d\r\n"), "Wormhole-Event-Id") ==
        of(plain, "Wormhole-Event-Id"));
}

TEST_CASE("a CloudEvent comes back in binary mode, and in the form that Accept names") {
  Queues q;
  const std::string example =
      R"({"specversion":"1.0","id":"1","source":"/s","type":"t","subject":"a b","datacontenttype":"text/plain",)"
      R"("data":"d","partitionkey":"g"})";
  CHECK(q.post("/queues/q/events", example, "Content-Type: application/cloudevents+json\r\n").status == 201);
  const Reply front = q.ask("GET", "/queues/q/front");
  CHECK(front.body == "d");
  CHECK(of(front, "Content-Type") == "text/plain");
  CHECK(of(front, "ce-specversion") == "1.0");
  CHECK(of(front, "ce-subject") == "a%20b");
  CHECK(of(front, "ce-partitionkey") == "g");
  const Reply structured = q.ask("GET", "/queues/q/front", "", "Accept: application/cloudevents+json\r\n");
  CHECK(of(structured, "Content-Type") == "application/cloudevents+json");
  CHECK(structured.body ==
        R"({"id":"1","partitionkey":"g","source":"/s","specversion":"1.0","subject":"a b","type":"t",)"
        R"("datacontenttype":"text/plain","data":"d"})"
        "\n");
  CHECK(q.status("POST", "/queues/q/events?group=other", example, "partitionkey",
                 "Content-Type: application/cloudevents+json\r\n") == 400);
  q.post("/queues/q/events", "plain");
  const Reply batch = q.post("/queues/q/receive?max=10", "", "Accept: application/cloudevents-batch+json\r\n");
  CHECK(of(batch, "Content-Type") == "application/cloudevents-batch+json");
  CHECK(batch.body.find("\"wormholereceipt\":\"") != std::string::npos);
  CHECK(batch.body.find("\"source\":\"/queues/q\"") != std::string::npos);
  http::KeptStrings kept;
  CHECK(q.post("/queues/r/events", batch.body, "Content-Type: application/cloudevents-batch+json\r\n").status == 201);
  // Without data, and removed with its bytes.
  CHECK(q.post("/queues/e/events", "", "ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /s\r\nce-type: t\r\n").status ==
        201);
  CHECK(q.ask("GET", "/queues/e/front").status == 200);
  CHECK(q.post("/queues/d/events", "bytes", "Content-Type: a/b\r\nWormhole-Attribute-k: v\r\n").status == 201);
  const Reply removed = q.ask("DELETE", "/queues/d/front", "", "Prefer: return=representation\r\n");
  CHECK(removed.status == 200);
  CHECK(removed.body == "bytes");
  CHECK(of(removed, "Preference-Applied") == "return=representation");
  CHECK(of(removed, "Content-Type") == "a/b");
  CHECK(of(removed, "Wormhole-Attribute-k") == "v");
  CHECK(q.ask("DELETE", "/queues/d/front", "", "Prefer: return=representation\r\n").status == 204);
  CHECK(q.ask("DELETE", "/queues/none/front").status == 204);
}

TEST_CASE("reads of any name change nothing, nor do receives that find nothing") {
  Queues q;
  q.post("/queues/q/events", "e");
  const uint64_t digest = q.node.machine().digest();
  for (int i = 0; i < 200; ++i) {
    const std::string name = "n" + std::to_string(i);
    CHECK(q.ask("GET", "/queues/" + name + "/front").status == 204);
    CHECK(q.ask("GET", "/queues/" + name).status == 404);
    CHECK(q.post("/queues/" + name + "/receive").status == 204);
  }
  CHECK(q.node.machine().digest() == digest);
}

TEST_CASE("a batch of no CloudEvents is taken, and nothing is written (JSON format, 4.3)") {
  Queues q;
  CHECK(q.ask("PUT", "/topics/t/queues/q").status == 201);
  const uint64_t before = q.log();
  const std::string type = "Content-Type: application/cloudevents-batch+json\r\n";
  for (const char* path : {"/queues/none/events", "/event", "/topics/t/events"}) {
    const Reply answer = q.post(path, "[]", type);
    CHECK(answer.status == 201);
    CHECK(answer.body.empty());
    CHECK(answer.header("Wormhole-Event-Id") == nullptr);
    CHECK(answer.header("Wormhole-Index") != nullptr);
  }
  CHECK(of(q.post("/topics/t/events", "[]", type), "Wormhole-Queues") == "0");
  CHECK(q.status("POST", "/topics/none/events", "[]", "no topic none", type) == 404);
  CHECK(q.status("POST", "/queues/a%20b/events", "[]", "", type) == 400);
  CHECK(q.ask("GET", "/queues/none").status == 404);
  CHECK(q.log() == before);
  CHECK(q.status("POST", "/queues/q/batch", "[]", "this one has none") == 400);
}

TEST_CASE("extensions of a delivery are the queue's: a producer's own of their names are left out of it") {
  Queues q;
  const std::string fields =
      "ce-specversion: 1.0\r\nce-type: t\r\nce-source: /s\r\nce-id: 1\r\nce-wormholereceipt: 9-9\r\n"
      "ce-wormholeid: 9\r\nce-wormholedeliveries: 9\r\nce-wormhole: kept\r\n";
  CHECK(q.post("/queues/q/events", "e", fields).status == 201);
  // Where the queue says nothing of it, it stays as it came.
  CHECK(of(q.ask("GET", "/queues/q/front"), "ce-wormholereceipt") == "9-9");
  const Reply got = q.post("/queues/q/receive?max=5", "", "Accept: application/cloudevents-batch+json\r\n");
  CHECK(got.status == 200);
  for (const char* name : {"wormholeid", "wormholereceipt", "wormholedeliveries"}) {
    const std::string member = "\"" + std::string(name) + "\":";
    const size_t at = got.body.find(member);
    REQUIRE(at != std::string::npos);
    CHECK(got.body.find(member, at + 1) == std::string::npos);
  }
  CHECK(got.body.find("\"9") == std::string::npos);
  CHECK(got.body.find("\"wormhole\":\"kept\"") != std::string::npos);
}

TEST_CASE("Wormhole-Queues counts queues, not copies") {
  Queues q;
  CHECK(q.ask("PUT", "/topics/t/queues/all").status == 201);
  CHECK(q.ask("PUT", "/topics/t/queues/a", R"({"filter":{"type":"a*"}})").status == 201);
  CHECK(q.ask("PUT", "/topics/t/queues/b", R"({"filter":{"type":"b*"}})").status == 201);
  int id = 0;
  const auto batch = [&](const std::vector<std::string>& types) {
    std::string body;
    for (const std::string& type : types)
      body += (body.empty() ? "[" : ",") + std::string(R"({"specversion":"1.0","source":"/s","id":")") +
              std::to_string(++id) + R"(","type":")" + type + "\"}";
    const Reply answer = q.post("/topics/t/events", body + "]", "Content-Type: application/cloudevents-batch+json\r\n");
    CHECK(answer.status == 201);
    return of(answer, "Wormhole-Queues");
  };
  CHECK(batch({"a1", "a2", "a3"}) == "2");
  CHECK(batch({"a1", "b2", "c3"}) == "3");
  CHECK(batch({"c1", "c2"}) == "1");
  CHECK(batch({"c1"}) == "1");
  CHECK(batch({"b1"}) == "2");
  CHECK(of(q.post("/topics/t/events", "e"), "Wormhole-Queues") == "1");
  // The same again: the same answer.
  id -= 1;
  CHECK(batch({"b1"}) == "2");
}

TEST_CASE("the next page of a list asks for the same consistency") {
  Queues q;
  for (const char* name : {"a", "b"}) {
    CHECK(q.ask("PUT", "/topics/" + std::string(name) + "/queues/" + name).status == 201);
    CHECK(q.post("/queues/a/events", name).status == 201);
  }
  const std::string terms = "consistency=stale&min_index=1&max_staleness=1h";
  for (const char* path : {"/queues", "/topics", "/queues/a/events"}) {
    const std::string link = of(q.ask("GET", std::string(path) + "?limit=1&" + terms), "Link");
    CHECK_MESSAGE(link.find("&" + terms) != std::string::npos, link);
    CHECK(of(q.ask("GET", std::string(path) + "?limit=1"), "Link").find("consistency") == std::string::npos);
  }
}

TEST_CASE("no queue and no topic is made as . or .., which clients take out of a path") {
  Queues q;
  const uint64_t before = q.log();
  for (const std::string name : {".", "..", "%2e", "%2E%2e"}) {
    for (const auto& [method, target] :
         std::vector<std::pair<std::string, std::string>>{{"POST", "/queues/" + name + "/events"},
                                                          {"PUT", "/queues/" + name},
                                                          {"PUT", "/topics/" + name + "/queues/q"},
                                                          {"PUT", "/topics/t/queues/" + name}})
      CHECK(q.status(method, target, method == "POST" ? "e" : "", "cannot be named '.") == 400);
    CHECK(q.status("POST", "/queues/" + name + "/batch", R"([{"data":"e"}])", "cannot be named '.") == 400);
  }
  CHECK(q.status("PUT", "/queues/q", R"({"dead_letter_queue":".."})", "cannot be named '..'") == 400);
  CHECK(q.command({"addjob", ".", "j", "0"}).find("cannot be named '.'") != std::string::npos);
  CHECK(q.log() == before);
  CHECK(q.post("/queues/.../events", "e").status == 201);
  // What was made before can be emptied and removed.
  CHECK(q.command({"rpush", "..", "e"}) == ":1\r\n");
  CHECK(q.post("/queues/../receive").body == "e");
  CHECK(q.ask("DELETE", "/queues/..").status == 204);
}

TEST_CASE("a key that came before is called what it is: an Idempotency-Key, or source and id") {
  Queues q;
  CHECK(q.ask("PUT", "/topics/t/queues/q2").status == 201);
  const std::string fields = "ce-specversion: 1.0\r\nce-type: t\r\nce-source: /s\r\nce-id: 1\r\n";
  for (const auto& [path, where] :
       std::vector<std::pair<std::string, std::string>>{{"/queues/q/events", "the queue q "},
                                                        {"/event", "the queue event "},
                                                        {"/topics/t/events", "the topic t "}}) {
    CHECK(q.post(path, "one", fields).status == 201);
    for (const std::string& named :
         {std::string("the source and id of this CloudEvent"), where, std::string("dedup_window")})
      CHECK(q.status("POST", path, "two", named, fields) == 422);
    CHECK(q.status("POST", path,
                   R"([{"specversion":"1.0","type":"u","source":"/s","id":"1"},)"
                   R"({"specversion":"1.0","type":"u","source":"/s","id":"2"}])",
                   "a CloudEvent of this batch", "Content-Type: application/cloudevents-batch+json\r\n") == 422);
  }
  CHECK(q.post("/queues/q/events", "one", "Idempotency-Key: k\r\n").status == 201);
  CHECK(q.status("POST", "/queues/q/events", "two", "this Idempotency-Key came before", "Idempotency-Key: k\r\n") ==
        422);
  CHECK(q.post("/queues/q/batch", R"([{"data":"a","idempotency_key":"i"}])").status == 201);
  CHECK(q.status("POST", "/queues/q/batch", R"([{"data":"b","idempotency_key":"i"}])",
                 "an idempotency_key of this batch") == 422);
}

TEST_CASE("a receive that finds no place to wait is told its queue, and where receives wait") {
  Queues q;
  q.node.set_max_waiting(0);
  for (const char* named : {"the queue orders", "waits on the leader", "max-waiting"})
    CHECK(q.status("POST", "/queues/orders/receive?wait=5s", "", named) == 503);
  CHECK(q.command({"blpop", "orders", "5"}).find("the queue orders") != std::string::npos);
}

TEST_CASE("an event that came as none is a CloudEvent where Accept asks for one") {
  Queues q;
  const std::string accept = "Accept: application/cloudevents+json\r\n";
  const Reply put = q.post("/queues/q/events", "hi", "Content-Type: text/plain\r\nWormhole-Attribute-trace: t\r\n");
  const std::string id = of(put, "Wormhole-Event-Id");
  const std::string expected =
      R"({"specversion":"1.0","id":")" + id + R"(","source":"/queues/q","type":"wormhole.event",)";
  for (const char* way : {"GET /queues/q/front", "POST /queues/q/receive"}) {
    const std::string method(way, std::string_view(way).find(' '));
    const Reply shown = q.ask(method, way + method.size() + 1, "", accept);
    CHECK(of(shown, "Content-Type") == "application/cloudevents+json");
    CHECK_MESSAGE(shown.body.starts_with(expected), shown.body);
    CHECK(shown.body.find(R"("trace":"t","datacontenttype":"text/plain","data":"hi"})") != std::string::npos);
    CHECK(of(shown, "Wormhole-Event-Id") == id);
    CHECK((shown.header("Wormhole-Receipt") != nullptr) == (method == "POST"));
  }
}

TEST_CASE("a keyed acknowledgement with other receipts is another request, invalid ones included") {
  Queues q;
  for (const char* event : {"a", "b"}) q.post("/queues/q/events", event);
  const Reply got = q.post("/queues/q/receive");
  const std::string good =
      R"({"id":)" + of(got, "Wormhole-Event-Id") + R"(,"receipt":")" + of(got, "Wormhole-Receipt") + "\"}";
  const std::string key = "Idempotency-Key: k\r\n";
  const std::string body = "[" + good + R"(,{"id":7,"receipt":"none"}])";
  const Reply first = q.post("/queues/q/ack", body, key);
  CHECK(first.status == 200);
  const Reply again = q.post("/queues/q/ack", body, key);
  CHECK(again.body == first.body);
  CHECK(of(again, "Idempotency-Replayed") == "true");
  CHECK(q.post("/queues/q/ack", "[" + good + R"(,{"id":8,"receipt":"none"}])", key).status == 422);
  CHECK(q.post("/queues/q/ack", "[" + good + "]", key).status == 422);
  CHECK(q.post("/queues/q/release?delay=1s", body, key).status == 422);
}

TEST_CASE("a body in a content coding is 415, as the coding would be lost") {
  Queues q;
  const uint64_t before = q.log();
  for (const char* path : {"/queues/q/events", "/event", "/topics/t/events", "/queues/q/batch", "/keys/k"})
    for (const char* coding : {"gzip", "BR", "gzip, identity", "identity\r\nContent-Encoding: gzip"})
      CHECK(q.status("POST", path, "x", "Content-Encoding", "Content-Encoding: " + std::string(coding) + "\r\n") ==
            415);
  CHECK(q.log() == before);
  CHECK(q.post("/queues/q/events", "x", "Content-Encoding: Identity\r\n").status == 201);
  CHECK(q.post("/queues/q/receive", "", "Content-Encoding: gzip\r\n").status == 200);
}

TEST_CASE("a form's event has no attributes: one is refused, not lost") {
  Queues q;
  CHECK(q.status("POST", "/event", "event=e", "wormhole-attribute-A", test::kForm + "wormhole-attribute-A: 1\r\n") ==
        400);
  CHECK(q.ask("GET", "/event").body.empty());
  CHECK(q.post("/event", "e", "Content-Type: text/plain\r\nWormhole-Attribute-a: 1\r\n").status == 201);
  CHECK(of(q.ask("GET", "/queues/event/front"), "Wormhole-Attribute-a") == "1");
}

}  // namespace wh::api
