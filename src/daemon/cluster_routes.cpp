// What servers of one pool say to each other. A server proves that it is one of the pool by the secret in the
// pool's store.
#include "base/log.h"
#include "daemon/attendance.h"
#include "daemon/forward.h"
#include "daemon/routes.h"
#include "identity/secret.h"

namespace bitfusion::daemon {
namespace {

using boost::beast::http::verb;

constexpr const char* kNoPath = "no such path; see /v1/openapi.json";

}  // namespace

Task<Reply> Api::cluster(ApiRequest request, std::string path) {
    const Cluster& cluster = parts_.scheduler.cluster();
    const bool member = !cluster.secret.empty() && identity::equal_secrets(request.bearer, cluster.secret);
    if (!member) co_return error_reply(401, "only servers of this pool may ask this");
    if (path != kAttendancePath || request.verb != verb::post) co_return error_reply(404, kNoPath);
    const auto attendance = attendance_from(request.body);
    if (!attendance) co_return error_reply(attendance.error());
    const auto orders = parts_.scheduler.attend(*attendance);
    if (!orders) co_return error_reply(orders.error());
    Reply reply;
    reply.text = to_json(*orders);
    co_return reply;
}

}  // namespace bitfusion::daemon
