#include "cli/redact.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace bitfusion::cli {
namespace {

TEST(Redact, LeavesOrdinaryTextAsItIs) {
    const std::string text =
        "cannot reach server 10.0.0.7:56001: connection refused\nlease 60475feb-34c2-46e1-9b90-5ded85ed96bf "
        "ends\n"
        "GPU-6e9df987-a6e8-4d18-9476-9ea12a419e83 Tesla T4\n\nno token was "
        "given\nLD_LIBRARY_PATH=/opt/x/lib\n";
    EXPECT_EQ(without_secrets(text), text);
    EXPECT_EQ(without_secrets(""), "");
}

TEST(Redact, RemovesTicketsAndTokens) {
    const std::string ticket(64, 'a');
    const std::string base64 = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9w";
    const std::vector<std::string> lines = {"x " + ticket + " y",
                                            "BITFUSION_SESSION=10.0.0.1:55001/" + ticket + "/more",
                                            "Authorization: Bearer abc",
                                            "\"token\": \"short1\"",
                                            "Password=hunter2",
                                            "client_secret : x1y2",
                                            "dbtoken: t-12",
                                            "value " + base64};
    for (const std::string& line : lines) {
        const std::string clean = without_secrets(line + "\nnext line\n");
        for (const std::string& secret :
             {ticket, std::string("abc"), std::string("short1"), std::string("hunter2"), std::string("x1y2"),
              std::string("t-12"), base64}) {
            if (line.find(secret) != std::string::npos) {
                EXPECT_EQ(clean.find(secret), std::string::npos) << clean;
            }
        }
        EXPECT_NE(clean.find("<removed>"), std::string::npos) << clean;
        EXPECT_NE(clean.find("next line\n"), std::string::npos) << clean;
    }
}

TEST(Redact, RemovesKeysAndCertificates) {
    EXPECT_EQ(without_secrets("a\n-----BEGIN PRIVATE KEY-----\nMIIE\nshort\n-----END PRIVATE KEY-----\nb\n"),
              "a\n<removed>\nb\n");
    EXPECT_EQ(without_secrets("a\n-----BEGIN PRIVATE KEY-----\nMIIE cut short"), "a\n<removed>\n");
}

}  // namespace
}  // namespace bitfusion::cli
