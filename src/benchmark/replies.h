// Reads the answers of one connection: HTTP by llhttp, RESP by itself. Pure. Called by Client.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "benchmark/operations.h"

namespace wh::benchmark {

class Replies {
 public:
  // Called for each whole answer; false: read no further, as the connection is given up.
  using Take = std::function<bool(const Answer&)>;

  static std::unique_ptr<Replies> make(Protocol protocol, bool wants_body, Take take);
  virtual ~Replies() = default;
  Replies() = default;
  Replies(const Replies&) = delete;
  Replies& operator=(const Replies&) = delete;

  // False: what came is no answer.
  virtual bool read(std::string_view bytes) = 0;
  // Whether the answer that was taken last is the last of its connection.
  [[nodiscard]] virtual bool last() const { return false; }
};

// The length of the whole RESP reply at the front; 0: it is not complete; npos: it is none.
size_t resp_length(std::string_view in);

}  // namespace wh::benchmark
