// What a node did and said lately: the samples of api/activity.h, the help of api/message_help.h, and the paths under
// /node that show them.
#include "api/activity.h"

#include <memory>
#include <string>

#include <doctest/doctest.h>

#include "api/message_help.h"
#include "fixture.h"

namespace wh::api {
namespace {

TEST_CASE("a sample holds what was done since the one before; a wait's duration counts for nothing") {
  Activity activity;
  activity.sweep(1'000, 10, raft::Index{5});
  activity.completed(Activity::Kind::write, 100, true, false);
  activity.completed(Activity::Kind::write, 300, false, false);
  activity.completed(Activity::Kind::write, 20'000'000, true, true);
  activity.completed(Activity::Kind::read, 40, true, false);
  activity.sweep(1'000 + Activity::kIntervalMs - 1, 20, raft::Index{6});
  CHECK(activity.samples().empty());
  activity.sweep(1'000 + Activity::kIntervalMs, 30, raft::Index{9});
  REQUIRE(activity.samples().size() == 1);
  const Activity::Sample& sample = activity.samples().front();
  CHECK(sample.ended_unix_ms == 30);
  CHECK(sample.lasted_ms == Activity::kIntervalMs);
  CHECK(sample.writes == 3);
  CHECK(sample.reads == 1);
  CHECK(sample.failed == 1);
  CHECK(sample.applied == 4);
  CHECK(sample.write.count == 2);
  CHECK(sample.write.max_us == 300);
  CHECK(sample.write.p50_us >= 100);
  CHECK(sample.write.p50_us <= 104);
  CHECK(sample.read.p99_us == 40);
  // The next begins with nothing, and a log that began anew is no progress.
  activity.sweep(1'000 + 2 * Activity::kIntervalMs, 40, raft::Index{2});
  CHECK(activity.samples().back().writes == 0);
  CHECK(activity.samples().back().write.count == 0);
  CHECK(activity.samples().back().applied == 0);
}

TEST_CASE("samples of fifteen minutes are kept") {
  Activity activity;
  for (Millis now = 1; now < 2 * Activity::kSamples * Activity::kIntervalMs; now += Activity::kIntervalMs)
    activity.sweep(now, static_cast<int64_t>(now), {});
  CHECK(activity.samples().size() == Activity::kSamples);
  CHECK(Activity::kSamples * Activity::kIntervalMs == 15 * 60 * 1'000);
}

TEST_CASE("a line of the log is explained by the row that fits it best") {
  CHECK(message_rows().size() > 100);
  for (const MessageRow& row : message_rows()) {
    CHECK_FALSE(row.message.empty());
    CHECK_FALSE(row.means.empty());
    CHECK_FALSE(row.what_to_do.empty());
  }
  const MessageRow* expires = help_for("tls-cert-file /etc/a.pem expires in 9 days, on 2026-12-10");
  REQUIRE(expires != nullptr);
  CHECK(expires->message == "tls-cert-file ... expires in ... days, on ...");
  const MessageRow* room = help_for("the disk has room again: 5 bytes are free");
  REQUIRE(room != nullptr);
  CHECK(room->message.find("the disk has room again") == 0);
  CHECK(help_for("") == nullptr);
  CHECK(help_for("nobody ever says such a thing") == nullptr);
}

TEST_CASE("GET /node/history and /node/messages show what was done and said") {
  test::Fronts fronts;
  CHECK(fronts.ask("POST", "/set?key=a&value=b").status == 200);
  CHECK(fronts.ask("GET", "/get?key=a").status == 200);
  Activity& activity = *fronts.calls.context().activity;
  activity.sweep(1, 0, {});
  activity.sweep(1 + Activity::kIntervalMs, 1'700'000'000'000, {});
  const std::string history = fronts.ask("GET", "/node/history").body;
  CHECK(history.find(R"("interval_ms":5000)") != std::string::npos);
  CHECK(history.find(R"("at":"2023-11-14T22:13:20.000Z","lasted_ms":5000,"writes":1,"reads":1,"errors":0)") !=
        std::string::npos);
  CHECK(history.find(R"("write_p99_us":null)") == std::string::npos);
  activity.sweep(1 + 2 * Activity::kIntervalMs, 1'700'000'005'000, {});
  const std::string newest = fronts.ask("GET", "/node/history?last=1").body;
  CHECK(newest.find(R"("at":"2023-11-14T22:13:25.000Z","lasted_ms":5000,"writes":0)") != std::string::npos);
  CHECK(newest.find("22:13:20") == std::string::npos);
  CHECK(fronts.ask("GET", "/node/history?last=180").body.find("22:13:20") != std::string::npos);
  CHECK(fronts.ask("GET", "/node/history?last=0").status == 400);

  const auto lines = std::const_pointer_cast<RecentLines>(fronts.calls.context().recent_lines);
  lines->add(LogLevel::notice, 1'700'000'000'000, "elected leader of term 3 with 2 of 3 votes");
  lines->add(LogLevel::warning, 1'700'000'000'001, "tls-cert-file a.pem has EXPIRED, on 2026-01-01");
  const std::string all = fronts.ask("GET", "/node/messages").body;
  CHECK(
      all.find(
          R"({"id":1700000000000001,"at":"2023-11-14T22:13:20.000Z","level":"notice","text":"elected leader of term 3)") !=
      std::string::npos);
  CHECK(all.find(R"("means":"new TLS connections fail)") != std::string::npos);
  CHECK(fronts.ask("GET", "/node/messages?after=1700000000000001").body.find("elected") == std::string::npos);
  CHECK(fronts.ask("GET", "/node/messages?level=warning").body.find("elected") == std::string::npos);
  CHECK(fronts.ask("GET", "/node/messages?after=1700000000000002").body.find(R"("messages":[])") != std::string::npos);
  CHECK(fronts.ask("GET", "/node/messages?level=debug").status == 400);
  CHECK(fronts.ask("GET", "/node/messages?after=x").status == 400);
}

TEST_CASE("GET /cluster: the leader's own view of the members, of no age") {
  test::Fronts fronts;
  const std::string cluster = fronts.ask("GET", "/cluster").body;
  CHECK(
      cluster.find(R"("leader_view":{"told_by":"me","age_ms":0,"may_fail":0,"members":[{"id":"me","silent":false,)") !=
      std::string::npos);
}

}  // namespace
}  // namespace wh::api
