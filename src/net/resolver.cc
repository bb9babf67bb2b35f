#include "net/resolver.h"

#include <algorithm>
#include <utility>

#include "net/loop.h"

namespace wh::net {

struct Resolver::Request {
  uv_getaddrinfo_t uv{};
  Resolver* resolver = nullptr;  // null once nobody needs the answer
  std::string name;
};

Resolver::Resolver(Loop& loop) : loop_(loop) {}

Resolver::~Resolver() {
  for (auto& [name, entry] : entries_) {
    if (entry.request == nullptr) continue;
    entry.request->resolver = nullptr;
    uv_cancel(reinterpret_cast<uv_req_t*>(&entry.request->uv));
  }
}

uint64_t Resolver::resolve(const std::string& name, Callback callback) {
  if (name.empty() || name.size() > kMaxNameSize || name.find('\0') != std::string::npos) {
    callback(UV_EAI_NONAME, {});
    return 0;
  }
  auto found = entries_.find(name);
  if (found == entries_.end()) {
    if (!make_room()) {
      callback(UV_EAI_AGAIN, {});
      return 0;
    }
    found = entries_.emplace(name, Entry{}).first;
  }
  Entry& entry = found->second;
  const Millis age = loop_.now() - entry.resolved_at;
  const bool usable = !entry.addresses.empty() && !entry.invalidated && age < kUsableMs;
  int error = 0;
  if (entry.request == nullptr && (!usable || age >= kFreshMs)) error = start(name, entry);
  if (usable) {
    const Addresses addresses = entry.addresses;  // the callback may call resolve() again
    callback(0, addresses);
    return 0;
  }
  if (error != 0) {
    entries_.erase(found);
    callback(error, {});
    return 0;
  }
  entry.waiters.push_back({next_id_, std::move(callback)});
  return next_id_++;
}

Addresses Resolver::known(const std::string& name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? Addresses() : found->second.addresses;
}

void Resolver::invalidate(const std::string& name) {
  if (const auto found = entries_.find(name); found != entries_.end()) found->second.invalidated = true;
}

bool Resolver::busy() const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [](const auto& entry) { return entry.second.request != nullptr; });
}

void Resolver::cancel(uint64_t id) {
  for (auto& [name, entry] : entries_) std::erase_if(entry.waiters, [id](const Waiter& w) { return w.id == id; });
  if (called_ == nullptr) return;
  for (Waiter& waiter : *called_)
    if (waiter.id == id) waiter.callback = nullptr;
}

int Resolver::start(const std::string& name, Entry& entry) {
  auto request = std::make_unique<Request>();
  request->uv.data = request.get();
  request->resolver = this;
  request->name = name;
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  const int error = uv_getaddrinfo(
      loop_.uv(), &request->uv,
      [](uv_getaddrinfo_t* uv, int status, addrinfo* result) {
        const std::unique_ptr<Request> own(static_cast<Request*>(uv->data));
        if (own->resolver != nullptr) own->resolver->finished(*own, status, result);
        uv_freeaddrinfo(result);
      },
      name.c_str(), nullptr, &hints);
  if (error == 0) entry.request = request.release();
  return error;
}

void Resolver::finished(Request& request, int error, const addrinfo* found) {
  Entry& entry = entries_.at(request.name);
  entry.request = nullptr;
  Addresses addresses;
  for (const addrinfo* item = found; error == 0 && item != nullptr; item = item->ai_next)
    if (item->ai_family == AF_INET || item->ai_family == AF_INET6) addresses.emplace_back(item->ai_addr);
  if (error == 0 && addresses.empty()) error = UV_EAI_NONAME;
  std::vector<Waiter> waiters = std::move(entry.waiters);
  entry.waiters.clear();
  if (error == 0) {
    entry.addresses = addresses;
    entry.resolved_at = loop_.now();
    entry.invalidated = false;
  } else if (entry.addresses.empty()) {
    entries_.erase(request.name);
  } else if (loop_.now() - entry.resolved_at < kUsableMs) {
    // The new lookup failed: the old answer is still usable.
    error = 0;
    addresses = entry.addresses;
  }
  called_ = &waiters;
  for (size_t i = 0; i < waiters.size(); ++i)
    if (waiters[i].callback) std::exchange(waiters[i].callback, nullptr)(error, addresses);
  called_ = nullptr;
}

bool Resolver::make_room() {
  if (entries_.size() < kMaxNames) return true;
  auto oldest = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end(); ++it)
    if (it->second.request == nullptr &&
        (oldest == entries_.end() || it->second.resolved_at < oldest->second.resolved_at))
      oldest = it;
  if (oldest == entries_.end()) return false;
  entries_.erase(oldest);
  return true;
}

}  // namespace wh::net
