#include "api/buffer_relief.h"

#include <memory>
#include <vector>

#include <doctest/doctest.h>

using namespace wh;
using namespace wh::api;

namespace {

constexpr size_t kMb = 1024 * 1024;

// Connections that hold what they are told to.
struct House {
  struct Guest {
    explicit Guest(BufferBudget* budget) : share(budget) {}
    BufferBudget::Share share;
    Millis still_since = 0;
    uint64_t group = 0;
    bool cut = false;
  };
  explicit House(uint64_t limit) { budget.set_limit(limit); }
  Guest& add(size_t bytes, Millis still_since, uint64_t group = 0) {
    guests.push_back(std::make_unique<Guest>(&budget));
    guests.back()->share.set(bytes);
    guests.back()->still_since = still_since;
    guests.back()->group = group;
    return *guests.back();
  }
  void turn(Millis now) {
    if (!relief.due(now)) return;
    std::vector<BufferHolder> holders;
    for (const auto& guest : guests)
      if (!guest->cut)
        holders.push_back({guest->share.bytes(), guest->still_since,
                           [](void* self) {
                             auto& gone = *static_cast<Guest*>(self);
                             gone.cut = true;
                             gone.share.set(0);
                           },
                           guest.get(), guest->group});
    relief.relieve(std::move(holders), now);
  }
  BufferBudget budget;
  BufferRelief relief{budget};
  std::vector<std::unique_ptr<Guest>> guests;
};

}  // namespace

TEST_CASE("near the limit the largest that do not move are cut, down to three quarters; who moves stays") {
  House house(80 * kMb);
  const auto& moving = house.add(30 * kMb, 9'500);
  const auto& large = house.add(20 * kMb, 1'000);
  const auto& middle = house.add(15 * kMb, 1'000);
  const auto& small = house.add(kMb, 1'000);
  house.turn(10'000);
  CHECK_FALSE(large.cut);
  house.add(10 * kMb, 9'999);
  house.turn(10'000);
  CHECK(large.cut);
  CHECK_FALSE(middle.cut);
  CHECK_FALSE(small.cut);
  CHECK_FALSE(moving.cut);
  CHECK(house.relief.cut() == 1);
}

TEST_CASE("beyond the limit whoever holds most is cut, moving or not, and no more than the limit asks for") {
  House house(80 * kMb);
  const auto& large = house.add(50 * kMb, 9'999);
  const auto& middle = house.add(25 * kMb, 9'999);
  house.turn(10'000);
  CHECK_FALSE(large.cut);
  const auto& small = house.add(6 * kMb, 9'999);
  house.turn(10'000);
  CHECK(large.cut);
  CHECK_FALSE(middle.cut);
  CHECK_FALSE(small.cut);
}

TEST_CASE("near the limit nobody goes who holds little; beyond it all of them may, still or not") {
  House house(80 * kMb);
  const auto& little = house.add(BufferBudget::kSmallBytes, 0);
  house.add(75 * kMb, 9'999);  // moves
  house.turn(10'000);
  CHECK(house.relief.cut() == 0);
  CHECK_FALSE(little.cut);
  House crowded(BufferBudget::kSmallBytes * 8);
  for (int i = 0; i < 9; ++i) crowded.add(BufferBudget::kSmallBytes, i < 5 ? 0 : 9'999);
  crowded.turn(10'000);
  CHECK(crowded.relief.cut() == 2);
}

TEST_CASE("near the limit a crowd that holds little each, and does not move, makes room for who moves") {
  House house(80 * kMb);
  const auto& moving = house.add(kMb, 9'999);
  for (int i = 0; i < 2'800; ++i) house.add(26 * 1024, 9'000);
  const auto& tiny = house.add(4 * 1024, 0);
  house.turn(10'000);
  CHECK_FALSE(house.budget.tight());
  CHECK_FALSE(moving.cut);
  CHECK_FALSE(tiny.cut);
  CHECK(house.relief.cut() < 100);
}

TEST_CASE("beyond the limit an address that holds more than its share of it goes before all others") {
  House house(80 * kMb);
  const auto& modest = house.add(15 * kMb, 9'999, 1);
  for (int i = 0; i < 3'000; ++i) house.add(26 * 1024, 9'999, 77);
  house.turn(10'000);
  CHECK_FALSE(house.budget.exceeded());
  CHECK_FALSE(modest.cut);
}

TEST_CASE("between two looks below the limit some time passes; beyond it none") {
  House house(80 * kMb);
  house.add(71 * kMb, 9'900);
  house.turn(10'000);
  house.add(kMb, 0);
  CHECK_FALSE(house.relief.due(10'000 + BufferRelief::kLookMs - 1));
  CHECK(house.relief.due(10'000 + BufferRelief::kLookMs));
  house.add(9 * kMb, 9'999);
  CHECK(house.relief.due(10'001));
}
