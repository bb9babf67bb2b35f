// GET /backup: the state at one index as an SQLite file.
#include <utility>

#include "api/http/backups.h"
#include "api/http/routes.h"

namespace wh {

RouteBegun begin_backup(const RouteContext&, RouteRequest& request) {
  return RouteCall{{}, {.name = request.http.method == http::Method::head ? "HEAD" : "GET", .value = {}}};
}

void finish_backup(const RouteContext& context, const RouteState& state, const node::Completion& completion,
                   std::function<void(http::Response)> answer) {
  if (state.name == "HEAD") return answer(context.backups.head(completion.index));
  context.backups.begin(std::move(answer));
}

}  // namespace wh
