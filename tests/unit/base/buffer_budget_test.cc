#include "base/buffer_budget.h"

#include <memory>
#include <string>

#include <doctest/doctest.h>

using namespace wh;

TEST_CASE("the budget is the sum of its shares, and knows the most there ever was") {
  BufferBudget budget;
  budget.set_limit(800);
  {
    BufferBudget::Share a(&budget);
    BufferBudget::Share b(&budget);
    a.set(500);
    b.set(200);
    CHECK(budget.used() == 700);
    CHECK_FALSE(budget.tight());
    b.set(201);
    CHECK(budget.tight());
    CHECK_FALSE(budget.exceeded());
    b.set(301);
    CHECK(budget.exceeded());
    a.set(0);
    CHECK(budget.used() == 301);
    CHECK_FALSE(budget.tight());
  }
  CHECK(budget.used() == 0);
  CHECK(budget.peak() == 801);
}

TEST_CASE("what many hold together counts once, until the last lets it go") {
  BufferBudget budget;
  const std::string value(1000, 'v');
  const std::string other(10, 'o');
  auto first = std::make_unique<BufferBudget::SharedHold>(&budget, value);
  auto second = std::make_unique<BufferBudget::SharedHold>(&budget, value);
  const BufferBudget::SharedHold third(&budget, other);
  CHECK(budget.used() == 1010);
  first.reset();
  CHECK(budget.used() == 1010);
  second.reset();
  CHECK(budget.used() == 10);
}

TEST_CASE("without a limit nothing is tight, and without a budget a share only remembers") {
  BufferBudget budget;
  BufferBudget::Share share(&budget);
  share.set(size_t{1} << 40);
  CHECK_FALSE(budget.tight());
  CHECK_FALSE(budget.exceeded());
  BufferBudget::Share alone(nullptr);
  alone.set(7);
  CHECK(alone.bytes() == 7);
  const BufferBudget::SharedHold nothing(nullptr, "abc");
}
