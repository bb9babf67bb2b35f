// The clients of the store's books, each a thread of its own: tellers move money between accounts, auditors add up all
// accounts as of one index, followers rebuild them from a watch. None makes assertions; what must not be is a surprise.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "load_client.h"
#include "queue_crowd.h"

namespace wh::testing {

inline constexpr int kAccounts = 100;
inline constexpr int64_t kOpening = 1'000;  // of each account
inline constexpr int64_t kTotal = kAccounts * kOpening;

std::string account_key(unsigned number);  // "bank/07"
// A transaction that opens all accounts.
std::string opening();

struct Transfer {
  unsigned from = 0;
  unsigned to = 0;
  int64_t amount = 0;
  uint64_t index = 0;  // of the entry that made it
};

// Moves amounts between two accounts, with a transaction whose comparisons hold only while nobody else changed them.
// Each transfer leaves a key `transfers/NAME` too. An answer that does not come is asked for again under the same key.
class Teller : public QueueClient {
 public:
  Teller(std::string name, std::vector<uint16_t> ports);
  ~Teller() override;
  [[nodiscard]] size_t transferred() const { return transferred_; }

  // After join().
  std::map<std::string, Transfer> transfers;  // the acknowledged ones, by their key
  size_t conflicts = 0;
  size_t repeats = 0;  // of requests that may have been carried out
  size_t replays = 0;  // of those, the ones that had been
  std::vector<std::string> surprises;

 private:
  struct Account {
    uint64_t mod_index = 0;
    int64_t balance = 0;
  };
  void run();
  bool read(unsigned number, Account& into);
  void transfer();

  size_t sequence_ = 0;
  std::atomic<size_t> transferred_{0};
};

// Reads all accounts at once, now as a page of a list and now as a transaction, from any node.
class Auditor : public QueueClient {
 public:
  Auditor(std::string name, std::vector<uint16_t> ports);
  ~Auditor() override;
  [[nodiscard]] size_t audits() const { return audits_; }

  std::vector<std::string> surprises;  // after join()

 private:
  void run();
  void audit(const HttpReply& reply);

  uint64_t last_index_ = 0;
  std::atomic<size_t> audits_{0};
};

// Watches the accounts through one node after the other, from the index that it has seen, and adds them up at each
// index.
class BalanceFollower : public QueueClient {
 public:
  BalanceFollower(std::string name, std::vector<uint16_t> ports);
  ~BalanceFollower() override;
  [[nodiscard]] size_t checked() const { return checked_; }
  [[nodiscard]] std::map<std::string, int64_t> balances() const;

  // After join().
  size_t connections = 0;
  size_t restarts = 0;  // what came next was no longer kept
  std::vector<std::string> surprises;

 private:
  void run();
  void follow(Socket& socket);
  // The frames of a stream, as they come in chunks.
  bool take_chunks(std::string& in, std::string& text) const;
  void take_frames(std::string& text);
  void take_frame(std::string_view frame);
  void check(uint64_t index);

  uint64_t last_ = 0;  // the index that all is known up to; 0: nothing is known
  mutable std::mutex mutex_;
  std::map<std::string, int64_t> balances_;
  std::atomic<size_t> checked_{0};
};

}  // namespace wh::testing
