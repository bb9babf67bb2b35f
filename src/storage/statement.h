// Minimal wrappers over SQLite's C interface: a connection that closes itself, a statement that resets itself. No
// policy.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <sqlite3.h>

namespace wh::storage {

class Statement {
 public:
  Statement() = default;
  ~Statement() { finalize(); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Returns SQLite's code.
  int prepare(sqlite3* db, std::string_view sql) {
    finalize();
    return sqlite3_prepare_v3(db, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &handle_,
                              nullptr);
  }
  void finalize() {
    sqlite3_finalize(handle_);
    handle_ = nullptr;
  }
  // Parameters count from 1. Bytes must outlive the next reset.
  Statement& bind(int at, uint64_t value) {
    sqlite3_bind_int64(handle_, at, static_cast<sqlite3_int64>(value));
    return *this;
  }
  Statement& blob(int at, std::string_view value) {
    // A null pointer would bind NULL.
    sqlite3_bind_blob64(handle_, at, value.empty() ? "" : value.data(), value.size(), SQLITE_STATIC);
    return *this;
  }
  Statement& text(int at, std::string_view value) {
    sqlite3_bind_text64(handle_, at, value.empty() ? "" : value.data(), value.size(), SQLITE_STATIC, SQLITE_UTF8);
    return *this;
  }
  Statement& null(int at) {
    sqlite3_bind_null(handle_, at);
    return *this;
  }
  int step() { return sqlite3_step(handle_); }
  int reset() { return sqlite3_reset(handle_); }
  // Steps once and resets: for statements that return no rows.
  int run() {
    sqlite3_step(handle_);
    return sqlite3_reset(handle_);
  }

  // Columns count from 0. `is` tells whether the column has this type: in a damaged page it may not.
  [[nodiscard]] bool is(int column, int type) const { return sqlite3_column_type(handle_, column) == type; }
  [[nodiscard]] uint64_t number(int column) const {
    return static_cast<uint64_t>(sqlite3_column_int64(handle_, column));
  }
  [[nodiscard]] std::string_view bytes(int column) const {
    const void* data = sqlite3_column_blob(handle_, column);
    const auto size = static_cast<size_t>(sqlite3_column_bytes(handle_, column));
    return data == nullptr ? std::string_view() : std::string_view(static_cast<const char*>(data), size);
  }

 private:
  sqlite3_stmt* handle_ = nullptr;
};

// Resets a statement at the end of a scope, so that no read stays open (a checkpoint could not pass it).
class ResetAtEnd {
 public:
  explicit ResetAtEnd(Statement& statement) : statement_(statement) {}
  ~ResetAtEnd() { statement_.reset(); }
  ResetAtEnd(const ResetAtEnd&) = delete;
  ResetAtEnd& operator=(const ResetAtEnd&) = delete;

 private:
  Statement& statement_;
};

}  // namespace wh::storage
