#include "daemon/routes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "daemon/trail.h"

namespace bitfusion::daemon {
namespace {

using boost::beast::http::verb;
using nlohmann::json;

std::string verb_key(verb verb) {
    switch (verb) {
        case verb::get:
            return "get";
        case verb::post:
            return "post";
        case verb::put:
            return "put";
        case verb::delete_:
            return "delete";
        default:
            return "?";
    }
}

TEST(OpenApi, DescribesEveryRouteAndNoOther) {
    std::set<std::string> served;
    for (const Route& route : routes()) served.insert(verb_key(route.verb) + " " + route.path);
    std::set<std::string> described;
    for (const auto& [path, methods] : openapi_document()["paths"].items()) {
        for (const auto& [method, operation] : methods.items()) {
            described.insert(method + " " + path);
            EXPECT_TRUE(operation.contains("summary")) << path;
            EXPECT_FALSE(operation["responses"].empty()) << path;
        }
    }
    EXPECT_EQ(served, described);
}

void check_references(const json& node) {
    if (node.is_object() && node.contains("$ref")) {
        const auto target = node["$ref"].get<std::string>();
        ASSERT_EQ(target[0], '#');
        EXPECT_TRUE(openapi_document().contains(json::json_pointer(target.substr(1)))) << target;
    }
    for (const json& child : node) {
        if (child.is_structured()) check_references(child);
    }
}

TEST(OpenApi, EveryReferenceResolves) { check_references(openapi_document()); }

std::string as_read(const std::string& pattern, const std::string& path) {
    std::string first;
    std::string second;
    return path_matches(pattern, path, &first, &second) ? first + "|" + second : "no";
}

TEST(Routes, PathsAreReadBySegments) {
    EXPECT_EQ(as_read("/v1/servers", "/v1/servers"), "|");
    EXPECT_EQ(as_read("/v1/servers/{id}", "/v1/servers/a"), "a|");
    EXPECT_EQ(as_read("/v1/servers/{id}/health/{check}", "/v1/servers/a/health/b"), "a|b");
    EXPECT_EQ(as_read("/v1/leases/{id}/hold", "/v1/leases/a/hold"), "a|");
    EXPECT_EQ(as_read("/console/{path}", "/console/"), "|");
    EXPECT_EQ(as_read("/console/{path}", "/console/assets/a.js"), "assets/a.js|");
    for (const auto& [pattern, path] : std::vector<std::pair<std::string, std::string>>{
             {"/v1/servers/{id}", "/v1/servers/"},
             {"/v1/servers/{id}", "/v1/servers"},
             {"/v1/servers/{id}", "/v1/servers/a/"},
             {"/v1/servers/{id}", "/v1/servers/a/b"},
             {"/v1/servers/{id}", "//v1/servers/a"},
             {"/v1/servers/{id}/health/{check}", "/v1/servers/a/health/"},
             {"/v1/servers/{id}/health/{check}", "/v1/servers//health/b"},
             {"/v1/leases/{id}/hold", "/v1/leases/hold"},
             {"/console/{path}", "/console"},
             {"/", "//"},
             {"/", ""}}) {
        EXPECT_EQ(as_read(pattern, path), "no") << path;
    }
}

TEST(Routes, ChangesAreKeptAndToldOf) {
    for (const Route& route : routes()) {
        Asked asked;
        asked.caller.role = identity::Role::kAdmin;
        const std::string path = route.path;
        const bool own = path == "/v1/claim_id" || path == "/v1/probes" ||
                         (path == "/v1/leases" && route.verb == verb::post);
        EXPECT_EQ(is_kept(route, asked), route.verb != verb::get && !own) << path;
        asked.caller.role = identity::Role::kClient;
        const bool leases = path.starts_with("/v1/leases") || path.starts_with("/v1/claims");
        EXPECT_EQ(is_kept(route, asked), route.verb != verb::get && !own && !leases) << path;
        const bool users = path.starts_with("/v1/users");
        EXPECT_EQ(topics_of(route) == std::vector<Topic>{Topic::kUsers},
                  users || path == "/v1/session/password")
            << path;
    }
}

TEST(Routes, NobodyHearsOfListsThatHeMayNotRead) {
    const auto hears = [](identity::Role role, Topic topic) {
        const auto topics = topics_for(role);
        return std::find(topics.begin(), topics.end(), topic) != topics.end();
    };
    EXPECT_TRUE(topics_for(identity::Role::kClient).empty());
    EXPECT_TRUE(hears(identity::Role::kViewer, Topic::kLeases));
    for (const Topic topic : {Topic::kTokens, Topic::kUsers}) {
        EXPECT_FALSE(hears(identity::Role::kOperator, topic));
        EXPECT_TRUE(hears(identity::Role::kAdmin, topic));
    }
    EXPECT_FALSE(hears(identity::Role::kViewer, Topic::kAudit));
    EXPECT_TRUE(hears(identity::Role::kOperator, Topic::kAudit));
}

TEST(LeaseRequest, ReadsAComplete) {
    const auto request = parse_lease_request(
        R"({"gpus":2,"memory_mib":1024,"hold":true,"client":{"host":"h","pid":7,"user":"u","program":"p\n"}})");
    ASSERT_TRUE(request) << request.error().what;
    EXPECT_EQ(request->claim.ask.gpus, 2u);
    EXPECT_EQ(request->claim.ask.memory_mib, 1024u);
    EXPECT_EQ(request->claim.timeout.count(), 0);
    EXPECT_TRUE(request->hold);
    EXPECT_EQ(request->client.pid, 7);
    EXPECT_EQ(request->client.program, "p?");
    EXPECT_TRUE(parse_lease_request(R"({"gpus":1,"memory_mib":null,"fraction":0.5})"));
}

TEST(LeaseRequest, ReadsWhatItWaitsFor) {
    const auto request = parse_lease_request(
        R"({"gpus":1,"timeout_s":1800,"persistent":true,"filters":["device.name=Tesla","server.cuda-version>=12"],)"
        R"("servers":["10.0.0.7:56001"],"id":"01234567-89ab-4cde-8f01-23456789abcd"})");
    ASSERT_TRUE(request) << request.error().what;
    EXPECT_EQ(request->claim.timeout, std::chrono::minutes(30));
    EXPECT_TRUE(request->claim.persistent);
    EXPECT_EQ(request->claim.filters.size(), 2u);
    EXPECT_EQ(request->claim.servers, std::vector<std::string>{"10.0.0.7:56001"});
    EXPECT_FALSE(request->ticket);
}

TEST(Routes, OnlyTheDoorIsOpenToNobody) {
    const std::set<std::string> open = {"get /", "get /console/{path}", "get /v1/openapi.json",
                                        "post /v1/login", "post /v1/session"};
    for (const Route& route : routes()) {
        const std::string path = route.path;
        EXPECT_EQ(route.least == identity::Role::kNobody, open.contains(verb_key(route.verb) + " " + path))
            << path;
        EXPECT_FALSE(route.serve != nullptr && route.serve_later != nullptr) << path;
        const bool secrets = path.starts_with("/v1/tokens") || path.starts_with("/v1/users");
        EXPECT_TRUE(!secrets || route.least == identity::Role::kAdmin) << path;
    }
}

TEST(LeaseRequest, RefusesOthers) {
    for (const char* text : {"",
                             "[]",
                             "{}",
                             R"({"gpus":0})",
                             R"({"gpus":-1})",
                             R"({"gpus":1.5})",
                             R"({"gpus":"1"})",
                             R"({"gpus":65})",
                             R"({"gpus":1,"memory_mib":0})",
                             R"({"gpus":1,"memory_mib":1e99})",
                             R"({"gpus":1,"memory_mib":"1"})",
                             R"({"gpus":1,"fraction":"x"})",
                             R"({"gpus":1,"hold":1})",
                             R"({"gpus":1,"client":[]})",
                             R"({"gpus":1,"client":{"pid":-1}})",
                             R"({"gpus":1,"client":{"user":7}})",
                             R"({"gpus":1)",
                             R"({"gpus":1,"timeout_s":-1})",
                             R"({"gpus":1,"timeout_s":99999999})",
                             R"({"gpus":1,"id":"x"})",
                             R"({"gpus":1,"ticket":"00"})",
                             R"({"gpus":1,"filters":["nonsense"]})",
                             R"({"gpus":1,"filters":"device.id=0"})",
                             R"({"gpus":1,"servers":[7]})",
                             R"({"gpus":1,"persistent":"yes"})"}) {
        EXPECT_FALSE(parse_lease_request(text)) << text;
    }
    EXPECT_FALSE(parse_lease_request(std::string(60000, '[')));
}

}  // namespace
}  // namespace bitfusion::daemon
