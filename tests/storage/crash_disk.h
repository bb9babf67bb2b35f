// A probe that watches each call that changes a file, and builds the directory as a crash at that moment would leave
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/prng.h"
#include "storage/disk.h"
#include "support.h"

namespace wh::storage::test {

// The disk as a power cut could leave it.
class CrashDisk final : public DiskProbe {
 public:
  struct Pending {
    uint64_t offset;
    std::string data;
    bool truncate = false;
    bool written_out = false;  // durable with the next sync of any file
  };
  struct File {
    std::string durable;
    std::vector<Pending> pending;
  };
  using Names = std::map<std::string, std::shared_ptr<File>>;
  std::function<void()> at_each_call;
  uint64_t calls = 0;

  int before(const DiskEvent& event) override {
    static_cast<void>(event);
    ++calls;
    if (at_each_call) at_each_call();
    return 0;
  }
  void after(const DiskEvent& event) override {
    const std::string name(event.file);
    switch (event.kind) {
      case DiskEvent::Kind::write:
        file(name).pending.push_back({event.offset, std::string(event.data)});
        break;
      case DiskEvent::Kind::truncate:
        file(name).pending.push_back({event.offset, {}, true});
        break;
      case DiskEvent::Kind::allocate:
        break;
      case DiskEvent::Kind::write_out:
        for (Pending& p : file(name).pending) p.written_out = true;
        break;
      case DiskEvent::Kind::sync:
        for (auto& [other, content] : names_) flush(*content, other != name);
        // As ext4 does it: the name of a file that is synced is durable too.
        durable_names_[name] = names_[name];
        break;
      case DiskEvent::Kind::rename:
        names_[std::string(event.to)] = names_[name];
        names_.erase(name);
        break;
      case DiskEvent::Kind::remove:
        names_.erase(name);
        break;
      case DiskEvent::Kind::sync_directory:
        durable_names_ = names_;
        break;
    }
  }

  enum class Kind : uint8_t { killed, power_cut, mixture };
  void image(Kind kind, Prng& prng, const std::string& directory) const {
    const bool new_names = kind == Kind::killed || (kind == Kind::mixture && prng.below(2) == 0);
    for (const auto& [name, content] : new_names ? names_ : durable_names_) {
      std::string bytes = content->durable;
      for (const Pending& p : content->pending)
        if (kind == Kind::killed || (kind == Kind::mixture && prng.below(2) == 0)) apply(p, bytes);
      spill(directory + "/" + name, bytes);
    }
  }

 private:
  File& file(const std::string& name) {
    auto& entry = names_[name];
    if (!entry) entry = std::make_shared<File>();
    return *entry;
  }
  static void apply(const Pending& p, std::string& bytes) {
    if (p.truncate) {
      bytes.resize(p.offset);
      return;
    }
    if (bytes.size() < p.offset + p.data.size()) bytes.resize(p.offset + p.data.size());
    bytes.replace(p.offset, p.data.size(), p.data);
  }
  static void flush(File& content, bool only_written_out) {
    std::vector<Pending> left;
    for (Pending& p : content.pending) {
      if (only_written_out && !p.written_out) {
        left.push_back(std::move(p));
      } else {
        apply(p, content.durable);
      }
    }
    content.pending = std::move(left);
  }
  Names names_, durable_names_;
};

}  // namespace wh::storage::test
