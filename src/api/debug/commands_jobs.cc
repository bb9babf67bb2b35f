// Disque's verbs on the queues, for work that must not be lost: ADDJOB GETJOB ACKJOB FASTACK DELJOB NACK WORKING SHOW
// QLEN QPEEK QSTAT PAUSE. A job is an event; the id that GETJOB gives carries the receipt.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "api/debug/commands.h"
#include "api/debug/job_id.h"
#include "debug/resp.h"

namespace wh::api {
namespace {

using debug::Overlap;
using machine::QueueSetting;
using Arguments = std::vector<std::string>;

constexpr int64_t kMaxSeconds = static_cast<int64_t>(machine::kMaxDelayMs / 1'000);

// A number from `least` to `most`; the error names the option.
OrRefusal<int64_t> number_in(std::string_view option, std::string_view word, int64_t least, int64_t most) {
  const std::optional<int64_t> number = number_of(word);
  if (number && *number >= least && *number <= most) return *number;
  return malformed(std::string(option) + " is a number from " + std::to_string(least) + " to " + std::to_string(most));
}

// --- ADDJOB

// Of a queue that is not there yet, the cluster's default.
Millis retry_of(const machine::Machine& machine, std::string_view queue) {
  const machine::Queue* found = machine.queues().find(queue);
  return found == nullptr ? machine.settings().default_visibility_timeout
                          : machine.queues().setting(*found, QueueSetting::visibility_timeout, machine.settings());
}

std::optional<Refusal> check_retry(const machine::Machine& machine, const std::string& queue, int64_t seconds) {
  const Millis retry = retry_of(machine, queue);
  if (retry == static_cast<Millis>(seconds) * 1'000) return std::nullopt;
  if (seconds == 0)
    return malformed("RETRY 0 would lose a job whose worker dies: leave it out, or use RPUSH and LPOP for such jobs");
  return malformed("RETRY is one for all jobs of a queue here, its visibility_timeout, which is " +
                   std::to_string(retry) + " ms for " + queue + ": leave RETRY out, or PUT /queues/" + queue +
                   " {\"visibility_timeout\":\"" + std::to_string(seconds) + "s\"}");
}

// What Disque has, and what to do in its place.
std::optional<Refusal> refuse_option(std::string_view option) {
  if (option == "replicate")
    return malformed("REPLICATE is not for a job to say: each is on the disks of a majority before it is answered");
  if (option == "maxlen")
    return malformed("MAXLEN is a setting of the queue here: PUT /queues/{queue} {\"max_length\":...}");
  if (option == "async")
    return malformed("ASYNC is not here: a job is on the disks of a majority before it is answered");
  return std::nullopt;
}

CommandBegun begin_addjob(Arguments& a) {
  if (auto refusal = bad_queue_in_path(a[1])) return std::move(*refusal);
  if (auto refusal = bad_new_name(a[1])) return std::move(*refusal);
  if (a[2].empty()) return malformed("a job must not be empty");
  if (const auto timeout = number_in("timeout", a[3], 0, INT64_MAX); !timeout) return timeout.error();
  machine::NewEvent job{.bytes = a[2]};
  std::optional<int64_t> retry;
  for (size_t i = 4; i < a.size(); i += 2) {
    const std::string option = debug::lower_case(a[i]);
    if (auto refusal = refuse_option(option)) return std::move(*refusal);
    const bool known = option == "delay" || option == "ttl" || option == "retry";
    if (!known || i + 1 == a.size()) return malformed("syntax error: HELP ADDJOB");
    const auto seconds = number_in(a[i], a[i + 1], option == "ttl" ? 1 : 0, kMaxSeconds);
    if (!seconds) return seconds.error();
    if (option == "delay") job.delay = static_cast<Millis>(*seconds) * 1'000;
    if (option == "ttl") job.ttl = static_cast<Millis>(*seconds) * 1'000;
    if (option == "retry") retry = *seconds;
  }
  if (job.ttl != 0 && job.delay.value_or(0) >= job.ttl)
    return malformed("DELAY is not below TTL: the job would never be delivered");
  CommandBegun begun_job =
      begun(Write{machine::PutEvents{a[1], {job}}}, [queue = a[1]](const Context&, const Answer& answer) {
        return debug::simple_reply(format_job_id({std::get<Stored>(answer.body).ids.front(), 0}, queue));
      });
  if (retry)
    begun_job->check = [queue = a[1], seconds = *retry](const Context& context, const std::vector<Operation>&) {
      return check_retry(context.node.machine(), queue, seconds);
    };
  return begun_job;
}

// --- GETJOB

std::string jobs_reply(const Taken& taken, bool counters) {
  if (taken.deliveries.empty()) return debug::null_array_reply();
  std::string reply = debug::array_header(taken.deliveries.size());
  for (const machine::Delivery& one : taken.deliveries) {
    reply += debug::array_header(counters ? 7 : 3) + debug::bulk_reply(taken.queue) +
             debug::bulk_reply(format_job_id({one.id, one.delivery}, taken.queue)) +
             debug::bulk_reply(one.bytes.view());
    if (counters)
      reply += debug::bulk_reply("nacks") + debug::integer_reply(0) + debug::bulk_reply("additional-deliveries") +
               debug::integer_reply(one.deliveries - 1);
  }
  return reply;
}

CommandBegun begin_getjob(Arguments& a) {
  ReceiveFirst receive{.queues = {}, .wait_ms = kNever};
  bool counters = false;
  size_t i = 1;
  for (; i < a.size(); ++i) {
    const std::string option = debug::lower_case(a[i]);
    if (option == "from") break;
    if (option == "nohang") {
      receive.wait_ms = 0;
    } else if (option == "withcounters") {
      counters = true;
    } else if ((option == "timeout" || option == "count") && i + 1 < a.size()) {
      const bool is_count = option == "count";
      const auto number = number_in(a[i], a[i + 1], is_count ? 1 : 0, is_count ? machine::kMaxReceive : INT64_MAX);
      if (!number) return number.error();
      ++i;
      if (is_count)
        receive.max = static_cast<uint32_t>(*number);
      else if (receive.wait_ms != 0 && *number != 0)
        receive.wait_ms = static_cast<Millis>(*number);
    } else {
      return malformed("syntax error: HELP GETJOB");
    }
  }
  if (i + 1 >= a.size()) return malformed("syntax error: HELP GETJOB");
  receive.queues.assign(std::make_move_iterator(a.begin() + static_cast<std::ptrdiff_t>(i) + 1),
                        std::make_move_iterator(a.end()));
  return begun(Take{std::move(receive)}, [counters](const Context&, const Answer& answer) {
    return jobs_reply(std::get<Taken>(answer.body), counters);
  });
}
// begin_getjob() names the reply.
std::string finish_taken(const Context&, const Answer& answer) {
  return jobs_reply(std::get<Taken>(answer.body), false);
}

// --- what a worker says of jobs

OrRefusal<JobId> job_id_of(std::string_view word) {
  const std::optional<JobId> job = parse_job_id(word);
  if (!job)
    return malformed("'" + std::string(word.substr(0, 200)) + "' is no id of a job, as ADDJOB and GETJOB give it");
  return *job;
}

OrRefusal<JobId> received_job(std::string_view word) {
  OrRefusal<JobId> job = job_id_of(word);
  if (job && job->receipt.delivery == 0)
    return malformed("'" + std::string(word) + "' was not received: give the id that GETJOB answered with the job");
  return job;
}

// One Settle for each queue.
CommandBegun settle(const Arguments& a, machine::SettleVerb verb) {
  std::map<std::string_view, machine::Settle> by_queue;
  for (size_t i = 1; i < a.size(); ++i) {
    const OrRefusal<JobId> job = received_job(a[i]);
    if (!job) return job.error();
    machine::Settle& one = by_queue[job->queue];
    one.queue = job->queue;
    one.verb = verb;
    one.receipts.push_back(job->receipt);
  }
  CommandCall call;
  call.none_where_absent = true;
  for (auto& [queue, one] : by_queue) call.operations.emplace_back(Write{std::move(one)});
  return call;
}

CommandBegun begin_ackjob(Arguments& a) { return settle(a, machine::SettleVerb::acknowledge); }
CommandBegun begin_nack(Arguments& a) { return settle(a, machine::SettleVerb::release); }
std::string finish_settled(const Context&, const Answer& answer) {
  int64_t done = 0;
  for (const machine::SettleOutcome outcome : std::get<Settled>(answer.body).outcomes)
    done += outcome == machine::SettleOutcome::done ? 1 : 0;
  return debug::integer_reply(done);
}

CommandBegun begin_working(Arguments& a) {
  const OrRefusal<JobId> job = received_job(a[1]);
  if (!job) return job.error();
  machine::Settle extend{.queue = job->queue, .verb = machine::SettleVerb::extend};
  extend.receipts.push_back(job->receipt);
  CommandBegun call =
      begun(Write{std::move(extend)}, [queue = std::string(job->queue)](const Context& context, const Answer& answer) {
        const auto& outcomes = std::get<Settled>(answer.body).outcomes;
        switch (outcomes.empty() ? machine::SettleOutcome::gone : outcomes.front()) {
          case machine::SettleOutcome::done:
            break;
          case machine::SettleOutcome::gone:
            return debug::error_reply(debug::ErrorWord::err, "this job is gone: stop working on it");
          case machine::SettleOutcome::stale:
          case machine::SettleOutcome::held:
            return debug::error_reply(debug::ErrorWord::err,
                                      "this job is not yours any more, its time was over: stop working on it");
        }
        return debug::integer_reply(static_cast<int64_t>(retry_of(context.node.machine(), queue) / 1'000));
      });
  call->none_where_absent = true;
  return call;
}

// --- looking inside

CommandBegun begin_show(Arguments& a) {
  const OrRefusal<JobId> job = job_id_of(a[1]);
  if (!job) return job.error();
  return begun(Read{GetEvent{std::string(job->queue), job->receipt.id}});
}

std::string state_of(const machine::Event& event) {
  switch (listed_state(event)) {
    case ListedState::any:
    case ListedState::ready:
      return "queued";
    case ListedState::delayed:
      return "delayed";
    case ListedState::reserved:
      break;
  }
  return "active";
}

// A flat array of names and values.
class Fields {
 public:
  void add(std::string_view name, std::string_view text) { put(name, debug::bulk_reply(text)); }
  void add(std::string_view name, uint64_t number) { put(name, debug::integer_reply(static_cast<int64_t>(number))); }
  void add_null(std::string_view name) { put(name, debug::null_reply()); }
  [[nodiscard]] std::string reply() const { return debug::array_header(2 * count_) + text_; }

 private:
  void put(std::string_view name, const std::string& value) {
    text_ += debug::bulk_reply(name) + value;
    ++count_;
  }
  std::string text_;
  size_t count_ = 0;
};

std::string finish_show(const Context& context, const Answer& answer) {
  const auto& shown = std::get<ShownEvent>(answer.body);
  if (shown.event == nullptr) return debug::null_array_reply();
  const machine::Event& event = *shown.event;
  const machine::Machine& machine = context.node.machine();
  const std::string& queue = *shown.queue->name;
  Fields fields;
  fields.add("id", format_job_id({event.id(), 0}, queue));
  fields.add("queue", queue);
  fields.add("state", state_of(event));
  if (event.expires_at == 0)
    fields.add_null("ttl");
  else
    fields.add("ttl", (event.expires_at - std::min(event.expires_at, machine.cluster_time_ms())) / 1'000);
  fields.add("ctime", event.enqueued_at() * 1'000'000);
  fields.add("retry", retry_of(machine, queue) / 1'000);
  fields.add("nacks", 0);
  fields.add("additional-deliveries", event.deliveries == 0 ? 0 : event.deliveries - 1);
  fields.add("body", event.bytes.view());
  return fields.reply();
}

CommandBegun begin_qlen(Arguments& a) { return begun(Read{GetLength{std::move(a[1])}}); }

// As GETJOB would give them; a negative count: the last ones, the last first.
CommandBegun begin_qpeek(Arguments& a) {
  const auto count = number_in("count", a[2], -int64_t{kMaxListed}, kMaxListed);
  if (!count) return count.error();
  if (auto refusal = bad_queue_in_path(a[1])) return std::move(*refusal);
  if (*count == 0) return answered(debug::array_header(0));
  const ListReady list{a[1], *count > 0 ? 0 : *count, *count > 0 ? *count - 1 : -1};
  return begun(Read{list}, [queue = a[1], from_end = *count < 0](const Context&, const Answer& answer) {
    const auto& ready = std::get<ReadyEvents>(answer.body);
    if (!ready.refused.empty()) return debug::error_reply(debug::ErrorWord::err, ready.refused);
    std::string reply = debug::array_header(ready.events.size());
    for (size_t i = 0; i < ready.events.size(); ++i) {
      const machine::Event& event = *ready.events[from_end ? ready.events.size() - 1 - i : i];
      reply += debug::array_header(3) + debug::bulk_reply(queue) +
               debug::bulk_reply(format_job_id({event.id(), 0}, queue)) + debug::bulk_reply(event.bytes.view());
    }
    return reply;
  });
}

std::string_view paused_as(bool in, bool out) { return in && out ? "all" : in ? "in" : out ? "out" : "none"; }

CommandBegun begin_qstat(Arguments& a) { return begun(Read{ShowQueue{std::move(a[1])}}); }
std::string finish_qstat(const Context& context, const Answer& answer) {
  const auto& shown = std::get<ShownQueues>(answer.body);
  if (shown.queues.empty()) return debug::null_array_reply();
  const machine::Queue& queue = *shown.queues.front();
  const machine::Machine& machine = context.node.machine();
  Fields fields;
  fields.add("name", *queue.name);
  fields.add("len", queue.content->ready_count);
  fields.add("delayed", queue.content->delayed_count);
  fields.add("active", queue.content->reserved_count);
  if (const auto age = oldest_age_ms(queue, machine))
    fields.add("age", *age / 1'000);
  else
    fields.add_null("age");
  const raft::Raft* raft = context.node.raft();
  if (raft != nullptr && raft->role() == raft::Role::leader)
    fields.add("blocked", context.node.waiting_for(*queue.name));
  else
    fields.add_null("blocked");
  fields.add("jobs-in", queue.totals.enqueued);
  fields.add("jobs-out", queue.totals.acknowledged);
  fields.add("redelivered", queue.totals.redelivered);
  fields.add("dead", queue.totals.dead_lettered);
  fields.add("expired", queue.totals.expired);
  fields.add("retry", retry_of(machine, *queue.name) / 1'000);
  fields.add("pause", paused_as(queue.paused_in, queue.paused_out));
  return fields.reply();
}

// --- PAUSE

std::string finish_pause_state(const Context&, const Answer& answer) {
  const auto& shown = std::get<ShownQueues>(answer.body);
  if (shown.queues.empty()) return debug::bulk_reply("none");
  return debug::bulk_reply(paused_as(shown.queues.front()->paused_in, shown.queues.front()->paused_out));
}

// As in Disque the words together say what is paused from now on. `bcast` is how it always is here. It does not overlap
// with other commands, as it may be a read.
CommandBegun begin_pause(Arguments& a) {
  bool in = false;
  bool out = false;
  bool changes = false;
  for (size_t i = 2; i < a.size(); ++i) {
    const std::string word = debug::lower_case(a[i]);
    if (word != "in" && word != "out" && word != "all" && word != "none" && word != "state" && word != "bcast")
      return malformed("PAUSE queue in, out, all, none or state");
    in = (in || word == "in" || word == "all") && word != "none";
    out = (out || word == "out" || word == "all") && word != "none";
    changes = changes || (word != "state" && word != "bcast");
  }
  if (!changes) return begun(Read{ShowQueue{std::move(a[1])}}, finish_pause_state);
  return begun(Write{machine::PauseQueue{.queue = a[1], .in = in, .out = out}},
               [in, out](const Context&, const Answer&) { return debug::bulk_reply(paused_as(in, out)); });
}

// Of commands whose begin() names the reply.
std::string finish_elsewhere(const Context&, const Answer&) { return debug::null_reply(); }

constexpr debug::Command of_queue(debug::Command command) {
  command.first_key = 1;
  command.last_key = 1;
  command.key_step = 1;
  return command;
}

constexpr std::string_view kGroup = "jobs";

const CommandSpec kCommandsOfJobs[] = {
    {of_queue({.name = "addjob",
               .arity = -4,
               .overlap = Overlap::write,
               .flags = "write denyoom",
               .parameters = "queue job timeout [DELAY seconds] [TTL seconds] [RETRY seconds]",
               .summary = "Puts a job into a queue; answers its id",
               .group = kGroup}),
     begin_addjob, finish_elsewhere},
    {{.name = "getjob",
      .arity = -3,
      .flags = "write blocking",
      .parameters = "[NOHANG] [TIMEOUT milliseconds] [COUNT count] [WITHCOUNTERS] FROM queue [queue ...]",
      .summary = "Receives jobs of the first queue that has some, and waits for one; ACKJOB them when they are done",
      .group = kGroup},
     begin_getjob,
     finish_taken},
    {{.name = "ackjob",
      .arity = -2,
      .overlap = Overlap::write,
      .flags = "write fast",
      .parameters = "job-id [job-id ...]",
      .summary = "Jobs are done; answers how many were still there and yours",
      .group = kGroup},
     begin_ackjob,
     finish_settled},
    {{.name = "fastack",
      .arity = -2,
      .overlap = Overlap::write,
      .flags = "write fast",
      .parameters = "job-id [job-id ...]",
      .summary = "The same as ACKJOB",
      .group = kGroup},
     begin_ackjob,
     finish_settled},
    {{.name = "deljob",
      .arity = -2,
      .overlap = Overlap::write,
      .flags = "write fast",
      .parameters = "job-id [job-id ...]",
      .summary = "The same as ACKJOB",
      .group = kGroup},
     begin_ackjob,
     finish_settled},
    {{.name = "nack",
      .arity = -2,
      .overlap = Overlap::write,
      .flags = "write fast",
      .parameters = "job-id [job-id ...]",
      .summary = "Gives received jobs back; answers how many",
      .group = kGroup},
     begin_nack,
     finish_settled},
    {{.name = "working",
      .arity = 2,
      .overlap = Overlap::write,
      .flags = "write fast",
      .parameters = "job-id",
      .summary = "Keeps a received job for longer; answers for how many seconds",
      .group = kGroup},
     begin_working,
     finish_elsewhere},
    {{.name = "show",
      .arity = 2,
      .flags = "readonly fast",
      .parameters = "job-id",
      .summary = "Describes a job, or answers nil",
      .group = kGroup},
     begin_show,
     finish_show},
    {of_queue({.name = "qlen",
               .arity = 2,
               .flags = "readonly fast",
               .parameters = "queue",
               .summary = "How many jobs of a queue are ready",
               .group = kGroup}),
     begin_qlen, finish_count},
    {of_queue({.name = "qpeek",
               .arity = 3,
               .flags = "readonly",
               .parameters = "queue count",
               .summary = "The next jobs of a queue, or with a negative count its last ones, without receiving them",
               .group = kGroup}),
     begin_qpeek, finish_elsewhere},
    {of_queue({.name = "qstat",
               .arity = 2,
               .flags = "readonly fast",
               .parameters = "queue",
               .summary = "Figures of a queue, or nil",
               .group = kGroup}),
     begin_qstat, finish_qstat},
    {of_queue({.name = "pause",
               .arity = -3,
               .flags = "write fast",
               .parameters = "queue in | out | all | none | state",
               .summary = "Lets nothing into a queue, or out of it, or ends that; answers what is paused",
               .group = kGroup}),
     begin_pause, finish_elsewhere},
};

}  // namespace

std::span<const CommandSpec> job_commands() { return kCommandsOfJobs; }

}  // namespace wh::api
