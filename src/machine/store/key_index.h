// Finds a key's place in the store's tree without walking it: a hash table beside the tree, which stays the only owner
// and the only order. Nothing that is seen depends on the table: it has no order to walk, and a key that it does not
// have is looked for in the tree. So it needs no secret against keys that were chosen to collide: a key has a place in
// two buckets of seven, and one that finds both full is left to the tree, as all keys were before there was an index.
//
// It grows by linear hashing: a few buckets are split at a change, and a few are joined as keys go, so no change moves
// many keys. The keys of a snapshot are added later, bit by bit in their order, while the node serves: adding one takes
// longer than all else that loading it takes. The index takes 12 to 24 bytes a key. A get of one of 10^6 keys takes a
// sixth of what the tree took, a put half.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "machine/store/item.h"

namespace wh::machine {

using Items = std::map<std::string, Item, std::less<>>;

class KeyIndex {
 public:
  static constexpr size_t kFewestBuckets = 256;
  // Buckets that one change splits or joins, at most.
  static constexpr size_t kSteps = 4;

  // Where the key is in the tree. Nothing: it is not in the index; unless complete(), it may yet be in the tree.
  [[nodiscard]] std::optional<Items::iterator> find(std::string_view key) const;
  // Whether all keys are in the index.
  [[nodiscard]] bool complete() const { return left_out_ == 0; }
  // Of a key that is in the tree, and was not added before.
  void add(Items::iterator place);
  // Of one that was added or left out, and is still in the tree.
  void remove(Items::iterator place, Items::iterator end);

  // The same as add(), but for now the key is left to the tree.
  void leave_out();
  // All keys in the tree were left out: add_some() is to add them.
  void begin_adding(Items& items);
  // Adds up to so many of them, fewer where the table is made for them. True: more are left.
  bool add_some(Items& items, size_t keys);

  // Frees a part of a discarded store's index, 16 KiB, if there is one left. Nothing else may be done with it then.
  void free_some();

  // For tests: the keys that found no place, and how many buckets there are.
  [[nodiscard]] size_t left_out() const { return left_out_; }
  [[nodiscard]] size_t buckets() const { return buckets_; }

 private:
  // A cache line.
  struct alignas(64) Bucket {
    static constexpr size_t kSlots = 7;
    std::array<uint8_t, kSlots> tags{};  // of each place a part of its key's hash; 0: it is free
    uint8_t used = 0;
    std::array<Items::iterator, kSlots> places{};
  };
  using Segment = std::array<Bucket, kFewestBuckets>;
  struct Hash;

  [[nodiscard]] Bucket* bucket_if_made(size_t number) const;
  // Makes it when it is not there yet.
  [[nodiscard]] Bucket& bucket(size_t number);
  // The bucket that half of a hash names.
  [[nodiscard]] size_t number_of(uint32_t half) const;
  // Whether add_some() is still to come to it.
  [[nodiscard]] bool is_to_come(std::string_view key) const { return next_ && key >= (*next_)->first; }
  void insert(Items::iterator place);
  void insert(Items::iterator place, const Hash& hash);
  void split_one();
  void join_one();

  std::vector<std::unique_ptr<Segment>> segments_;  // null: all its buckets are empty
  size_t buckets_ = 0;                              // 0, or kFewestBuckets and more
  size_t size_ = 0;                                 // keys, with those that are left out
  size_t left_out_ = 0;                             // of these
  // The first key that add_some() has not looked at; it and all after it are not in the index. Nothing: all were added.
  std::optional<Items::iterator> next_;
};

}  // namespace wh::machine
