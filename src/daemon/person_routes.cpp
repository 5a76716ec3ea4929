#include <ctime>

#include "daemon/dispatcher.h"
#include "daemon/routes.h"

namespace bitfusion::daemon {
namespace {

using identity::Person;
using identity::Role;
using nlohmann::json;

Reply insecure() {
    return error_reply(404,
                       "this server is insecure: it has no tokens and no people; see: bitfusion help init");
}

json person_json(const Person& person) {
    return {{"name", person.name},
            {"role", identity::text_of(person.role)},
            {"created", identity::stamp(person.created)}};
}

Result<std::string> text_of(const json& body, const char* key) {
    const auto found = body.find(key);
    if (found == body.end() || !found->is_string()) return fail(std::string(key) + " must be a text", 400);
    return found->get<std::string>();
}

}  // namespace

Reply Api::list_people(const Asked&) {
    if (parts_.registry == nullptr) return insecure();
    const auto people = parts_.registry->people();
    if (!people) return error_reply(people.error());
    json list = json::array();
    for (const Person& person : *people) list.push_back(person_json(person));
    return json_reply({{"users", std::move(list)}});
}

Reply Api::create_person(const Asked& asked) {
    if (parts_.registry == nullptr) return insecure();
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
    if (parts_.registry == nullptr) return insecure();
    const auto body = object_of(asked);
    if (!body) return error_reply(body.error());
    const auto person = parts_.registry->change_person(asked.id, [&](Person& person) -> Status {
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
    return person ? json_reply(person_json(*person)) : error_reply(person.error());
}

Reply Api::delete_person(const Asked& asked) {
    if (parts_.registry == nullptr) return insecure();
    if (auto gone = parts_.registry->delete_person(asked.id); !gone) return error_reply(gone.error());
    return json_reply({{"name", asked.id}, {"state", "deleted"}});
}

}  // namespace bitfusion::daemon
