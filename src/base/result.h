// Result<T>: a value, or one sentence that says what went wrong. For operating errors (bad input, a missing file, a
// refused connection); bugs are WH_ASSERT. The sentence is shown to users: no trailing full stop, and it names its
// subject. Result<T, E>, with an E that says more than a sentence, is for callers that must act on it (api/refusal.h).
#pragma once

#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/assert.h"

namespace wh {

struct Error {
  std::string message;
};

template <typename T, typename E = Error>
class [[nodiscard]] Result {
 public:
  Result(T&& value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(const T& value) : state_(std::in_place_index<0>, value) {}        // NOLINT(google-explicit-constructor)
  Result(E&& error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)
  Result(const E& error) : state_(std::in_place_index<1>, error) {}        // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() {
    WH_ASSERT(ok(), "Result holds an error");
    return std::get<0>(state_);
  }
  const T& value() const {
    WH_ASSERT(ok(), "Result holds an error");
    return std::get<0>(state_);
  }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  // The sentence of an Error, else the whole E.
  [[nodiscard]] const auto& error() const {
    WH_ASSERT(!ok(), "Result holds a value");
    if constexpr (std::is_same_v<E, Error>)
      return std::get<1>(state_).message;
    else
      return std::get<1>(state_);
  }

 private:
  std::variant<T, E> state_;
};

// Success without a value, or an error.
struct Nothing {};
using Status = Result<Nothing>;
inline Status ok_status() { return Status(Nothing{}); }

}  // namespace wh
