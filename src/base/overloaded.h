// One visitor for std::visit, made of a lambda for each alternative.
#pragma once

namespace wh {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace wh
