#include "daemon/gate.h"

#include <gtest/gtest.h>

#include "identity/memory_store.h"

namespace bitfusion::daemon {
namespace {

using boost::beast::http::verb;
using identity::Role;

class GateTest : public testing::Test {
  protected:
    void SetUp() override {
        gate_.set_port(56001);
        ASSERT_TRUE(registry_.create_person("ann", "correct horse", Role::kOperator, time(nullptr)));
        session_ = registry_.log_in("ann", "correct horse", time(nullptr)).value().session;
    }
    ApiRequest by_cookie(enum verb verb) const {
        ApiRequest request;
        request.verb = verb;
        request.cookie = "theme=dark; __Host-bitfusion-56001=" + session_ + "; x=y";
        request.authority = "10.0.0.7:56001";
        return request;
    }
    int code(const ApiRequest& request, bool open = false) const {
        const auto caller = gate_.caller_of(request, open);
        return caller ? 0 : caller.error().code;
    }

    identity::MemoryStore store_;
    identity::Registry registry_ = identity::Registry::open(store_).value();
    Gate gate_{&registry_};
    std::string session_;
};

TEST_F(GateTest, ACookieReads) {
    const auto caller = gate_.caller_of(by_cookie(verb::get), false);
    ASSERT_TRUE(caller) << caller.error().what;
    EXPECT_EQ(caller->person, "ann");
    EXPECT_EQ(caller->role, Role::kOperator);
}

TEST_F(GateTest, ACookieAloneChangesNothing) {
    for (const auto method : {verb::post, verb::put, verb::delete_}) {
        ApiRequest request = by_cookie(method);
        EXPECT_EQ(code(request), 403);
        request.csrf = "guess";
        EXPECT_EQ(code(request), 403);
        request.csrf = registry_.csrf_of(session_ + "x");
        EXPECT_EQ(code(request), 403);
        request.csrf = registry_.csrf_of(session_);
        EXPECT_EQ(code(request), 0);
        request.origin = "https://10.0.0.7:56001";
        EXPECT_EQ(code(request), 0);
        for (const char* origin : {"https://evil.example", "https://10.0.0.7:8443", "null", "https://"}) {
            request.origin = origin;
            EXPECT_EQ(code(request), 403) << origin;
        }
    }
}

TEST_F(GateTest, APageOfAnotherOriginReadsNothing) {
    ApiRequest request = by_cookie(verb::get);
    for (const char* site : {"cross-site", "same-site", "what"}) {
        request.fetch_site = site;
        EXPECT_EQ(code(request), 403) << site;
    }
    request.fetch_site = "same-origin";
    EXPECT_EQ(code(request), 0);
    request.fetch_site = "none";
    EXPECT_EQ(code(request), 0);
}

TEST_F(GateTest, NobodyComesInButWhereItIsOpen) {
    ApiRequest request;
    EXPECT_EQ(code(request), 401);
    request.cookie = "__Host-bitfusion-56002=" + session_;
    EXPECT_EQ(code(request), 401) << "another server's";
    request.cookie = "__Host-bitfusion-56001=bf-abcdefg-" + std::string(43, 'x');
    EXPECT_EQ(code(request), 401) << "a token is no session";
    EXPECT_EQ(gate_.caller_of(request, true)->role, Role::kNobody);
}

TEST_F(GateTest, WhoIsPutOutIsOut) {
    ApiRequest request = by_cookie(verb::get);
    const auto caller = gate_.caller_of(request, false);
    ASSERT_TRUE(caller);
    EXPECT_TRUE(gate_.still(*caller, request));
    ASSERT_TRUE(registry_.sign_out(session_, time(nullptr)));
    EXPECT_FALSE(gate_.still(*caller, request));
    EXPECT_EQ(code(request), 401);
}

TEST_F(GateTest, CookiesAreSecureAndOurs) {
    EXPECT_EQ(gate_.cookie_of("s", 60),
              "__Host-bitfusion-56001=s; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Strict");
    EXPECT_NE(gate_.no_cookie().find("=; Path=/; Max-Age=0;"), std::string::npos);
}

TEST(Gate, AnInsecureServerAnswersNoPageOfOthers) {
    const Gate gate(nullptr);
    ApiRequest request;
    request.authority = "127.0.0.1:56001";
    EXPECT_EQ(gate.caller_of(request, false)->role, Role::kAdmin);
    for (const char* good : {"localhost:56001", "[::1]:56001", ""}) {
        request.authority = good;
        EXPECT_TRUE(gate.caller_of(request, false)) << good;
    }
    request.authority = "rebound.evil.example:56001";
    EXPECT_EQ(gate.caller_of(request, false).error().code, 403);
    request.authority = "127.0.0.1:56001";
    request.origin = "http://evil.example";
    EXPECT_EQ(gate.caller_of(request, false).error().code, 403);
    request.origin = "http://127.0.0.1:56001";
    EXPECT_TRUE(gate.caller_of(request, false));
}

TEST(Cookies, AreFoundByTheirWholeName) {
    EXPECT_EQ(cookie_value("a=1; ab=2; b=3", "ab"), "2");
    EXPECT_EQ(cookie_value("a=1;b=2", "b"), "2");
    EXPECT_EQ(cookie_value("xa=1", "a"), "");
    EXPECT_EQ(cookie_value("a", "a"), "");
    EXPECT_EQ(cookie_value("; ;a==", "a"), "=");
}

}  // namespace
}  // namespace bitfusion::daemon
