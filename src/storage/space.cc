// How SqliteStorage handles a disk that fills up (HAZARDS C7, F10). A write that finds no room stays the first of its
// lane: it is retried when the ballast has given way, and each second; until then nothing after it is written, and
// nothing of it is reported. A failed sync is different: it ends the process, whatever its reason.
#include <utility>

#include "base/log.h"
#include "storage/sqlite_storage.h"

namespace wh::storage {

// Called when a database job returns.
void SqliteStorage::found_no_room(const std::string& message) {
  waiting_for_room_ = true;
  if (!std::exchange(full_, true))
    logf(LogLevel::warning,
         "the disk is full: %s; what was being written waits, and is written as soon as there is room: make room in "
         "the file system of %s",
         message.c_str(), directory_.path().c_str());
  look(true);
}

void SqliteStorage::look_at_space() {
  for (const auto& again : std::exchange(put_off_, {})) again();
  if (!looking_ && !failed_) look(false);
}

void SqliteStorage::look(bool give_way) {
  looking_ = true;
  // Room that was just freed goes to waiting writes first.
  const bool restore = !waiting_for_room_;
  auto gave = std::make_shared<bool>(false);
  auto space = std::make_shared<node::DiskSpace>();
  auto whole = std::make_shared<bool>(false);
  queue_files(
      [this, give_way, restore, gave, space, whole]() -> Status {
        if (give_way) *gave = ballast_.give_way();
        if (restore) ballast_.restore();
        *space = ballast_.measure();
        *whole = ballast_.whole();
        return ok_status();
      },
      [this, give_way, gave, space, whole] {
        looking_ = false;
        if (full_ && !waiting_for_room_ && *whole) {
          full_ = false;
          logf(LogLevel::notice, "the disk has room again, and what waited for it is written");
        }
        space_ = *space;
        space_.full = full_;
        give(space_);
        if (!waiting_for_room_ || (give_way && !*gave)) return;
        waiting_for_room_ = false;
        pump_database();
      });
}

}  // namespace wh::storage
