#include "daemon/attendance.h"

#include <nlohmann/json.hpp>

#include "store/records.h"

namespace bitfusion::daemon {
namespace {

using nlohmann::json;

constexpr size_t kMostLeases = 4096;
constexpr size_t kMostIdBytes = 128;
constexpr size_t kMostReasonBytes = 1024;

std::string dump(const json& root) { return root.dump(-1, ' ', false, json::error_handler_t::replace); }

json record_of(const pool::Change& change) {
    const store::Write write = store::write_of(change);
    return {{"key", write.key}, {"value", *write.value}};
}

Status add_record(pool::Records& records, const json& record) {
    return store::add_record(records,
                             {record.at("key").get<std::string>(), record.at("value").get<std::string>(), 1});
}

// Throws json::exception where a member is missing or no list of texts.
template <typename List>
Status read_ids(const json& root, const char* key, List& out) {
    const json& list = root.at(key);
    bool good = list.is_array() && list.size() <= kMostLeases;
    for (const json& one : good ? list : json::array()) {
        const auto id = one.get<std::string>();
        good = good && !id.empty() && id.size() <= kMostIdBytes;
        out.insert(out.end(), id);
    }
    if (!good) return fail(std::string(key) + " of a message between servers is no list of leases", 400);
    return {};
}

tl::unexpected<Error> malformed(const json::exception& error) {
    return fail(std::string("a message between servers is malformed (") + error.what() +
                    "); install the same release on all servers of the pool",
                400);
}

}  // namespace

std::string to_json(const Attendance& attendance) {
    return dump({{"server", record_of(attendance.server)},
                 {"leaving", attendance.leaving},
                 {"leases", attendance.leases},
                 {"heard", attendance.heard},
                 {"used", attendance.used},
                 {"kept", attendance.kept},
                 {"over", attendance.over},
                 {"ends", attendance.ends}});
}

Result<Attendance> attendance_from(const std::string& text) {
    Attendance attendance;
    try {
        const json root = json::parse(text);
        pool::Records records;
        if (auto added = add_record(records, root.at("server")); !added)
            return tl::unexpected<Error>(Error{added.error().what, 400});
        if (records.servers.size() != 1) return fail("a server tells of something that is no server", 400);
        attendance.server = std::move(records.servers.front());
        attendance.leaving = root.at("leaving").get<bool>();
        Status read = read_ids(root, "leases", attendance.leases);
        if (read) read = read_ids(root, "heard", attendance.heard);
        if (read) read = read_ids(root, "used", attendance.used);
        if (read) read = read_ids(root, "kept", attendance.kept);
        if (read) read = read_ids(root, "over", attendance.over);
        if (!read) return tl::unexpected<Error>(read.error());
        const json& ends = root.at("ends");
        if (!ends.is_object() || ends.size() > kMostLeases)
            return fail("a message between servers ends more leases than there are", 400);
        for (const auto& [id, reason] : ends.items())
            attendance.ends[id] = reason.get<std::string>().substr(0, kMostReasonBytes);
    } catch (const json::exception& error) {
        return malformed(error);
    }
    return attendance;
}

std::string to_json(const Orders& orders) {
    json leases = json::array();
    for (const pool::Lease& lease : orders.leases) leases.push_back(record_of(lease));
    return dump({{"leases", std::move(leases)},
                 {"accepts", orders.accepts},
                 {"waiting", orders.waiting},
                 {"error", orders.error}});
}

Result<Orders> orders_from(const std::string& text) {
    Orders orders;
    try {
        const json root = json::parse(text);
        pool::Records records;
        for (const json& record : root.at("leases")) {
            if (auto added = add_record(records, record); !added) return tl::unexpected<Error>(added.error());
        }
        orders.leases = std::move(records.leases);
        orders.accepts = root.at("accepts").get<bool>();
        orders.waiting = root.at("waiting").get<uint64_t>();
        orders.error = root.at("error").get<std::string>();
    } catch (const json::exception& error) {
        return malformed(error);
    }
    return orders;
}

}  // namespace bitfusion::daemon
