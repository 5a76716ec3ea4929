#include <ctime>

#include "daemon/dispatcher.h"
#include "daemon/etag.h"
#include "daemon/routes.h"

namespace bitfusion::daemon {
namespace {

using identity::Person;
using identity::Role;
using nlohmann::json;

std::string tag_of(const Person& person) {
    return etag_of(
        {{"name", person.name}, {"role", identity::text_of(person.role)}, {"changed", person.changed}});
}

json person_json(const Person& person) {
    return {{"name", person.name},
            {"role", identity::text_of(person.role)},
            {"created", identity::stamp(person.created)},
            {"etag", tag_of(person)}};
}

Result<std::string> text_of(const json& body, const char* key) {
    const auto found = body.find(key);
    if (found == body.end() || !found->is_string()) return fail(std::string(key) + " must be a text", 400);
    return found->get<std::string>();
}

}  // namespace

Reply Api::list_people(const Asked&) {
    if (parts_.registry == nullptr) return insecure_reply();
    const auto people = parts_.registry->people();
    if (!people) return error_reply(people.error());
    json list = json::array();
    for (const Person& person : *people) list.push_back(person_json(person));
    return json_reply({{"users", std::move(list)}});
}

Reply Api::create_person(const Asked& asked) {
    if (parts_.registry == nullptr) return insecure_reply();
    const auto body = object_of(asked);
    if (!body) return error_reply(body.error());
    const auto name = text_of(*body, "name");
    const auto password = text_of(*body, "password");
    const auto role_text = text_of(*body, "role");
    for (const auto* text : {&name, &password, &role_text}) {
        if (!*text) return error_reply(text->error());
    }
    const auto role = identity::role_from(*role_text);
    if (!role) return error_reply(role.error());
    const auto person = parts_.registry->create_person(*name, *password, *role, time(nullptr));
    return person ? json_reply(person_json(*person), 201) : error_reply(person.error());
}

Reply Api::put_person(const Asked& asked) {
    if (parts_.registry == nullptr) return insecure_reply();
    const auto body = object_of(asked);
    if (!body) return error_reply(body.error());
    json current;
    const auto person = parts_.registry->change_person(asked.id, [&](Person& person) -> Status {
        current = person_json(person);
        if (auto same = check_etag(asked.request.if_match, tag_of(person)); !same) return same;
        for (const auto& [key, value] : body->items()) {
            if (key == "password" && value.is_string()) {
                const auto hash = identity::hash_password(value.get<std::string>());
                if (!hash) return tl::unexpected(hash.error());
                person.password = *hash;
            } else if (key == "role" && value.is_string()) {
                const auto role = identity::role_from(value.get<std::string>());
                if (!role) return tl::unexpected(role.error());
                if (*role == Role::kClient) return fail("a person is a viewer, an operator or an admin", 400);
                person.role = *role;
            } else {
                return fail("'" + harmless(key, 64) + "' of a person cannot be set so; see /v1/openapi.json",
                            400);
            }
        }
        person.changed = std::max(person.changed + 1, time(nullptr));
        return {};
    });
    if (!person && person.error().code == 412) return stale_reply(std::move(current));
    return person ? json_reply(person_json(*person)) : error_reply(person.error());
}

Reply Api::delete_person(const Asked& asked) {
    if (parts_.registry == nullptr) return insecure_reply();
    json current;
    const auto gone = parts_.registry->delete_person(asked.id, [&](const Person& person) {
        current = person_json(person);
        return check_etag(asked.request.if_match, tag_of(person));
    });
    if (!gone && gone.error().code == 412) return stale_reply(std::move(current));
    if (!gone) return error_reply(gone.error());
    return json_reply({{"name", asked.id}, {"state", "deleted"}});
}

}  // namespace bitfusion::daemon
