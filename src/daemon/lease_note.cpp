#include <nlohmann/json.hpp>

#include "daemon/lease.h"
#include "identity/secret.h"

namespace bitfusion::daemon {

using nlohmann::json;

std::string digest_of(const wire::Ticket& ticket) { return identity::digest(wire::to_hex(ticket)); }

std::string to_json(const LeaseNote& note) {
    return json{{"ticket", note.ticket_digest}, {"host", note.client.host},       {"pid", note.client.pid},
                {"user", note.client.user},     {"program", note.client.program}, {"token", note.token},
                {"hold", note.must_hold},       {"created", note.created},        {"name", note.client_name}}
        .dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<LeaseNote> lease_note_from(const std::string& text) {
    LeaseNote note;
    try {
        const json root = json::parse(text);
        note.ticket_digest = root.at("ticket").get<std::string>();
        note.client.host = root.at("host").get<std::string>();
        note.client.pid = root.at("pid").get<int64_t>();
        note.client.user = root.at("user").get<std::string>();
        note.client.program = root.at("program").get<std::string>();
        note.token = root.at("token").get<std::string>();
        note.must_hold = root.at("hold").get<bool>();
        note.created = root.at("created").get<int64_t>();
        // What an earlier release wrote down has none.
        note.client_name = root.value("name", note.client.host);
    } catch (const json::exception& error) {
        return fail(std::string("a lease in the store is damaged (") + error.what() +
                    "); restore the store from a backup");
    }
    return note;
}

}  // namespace bitfusion::daemon
