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

TEST(Redact, RemovesTokensAndSessionsWithDashesAnywhere) {
    const std::string secret = "a-B3-dEfGhIjKlMnOpQrStUvWxYz0123456789_-AbC";
    ASSERT_EQ(secret.size(), 43u);
    for (const std::string& text :
         {"bf-abc1234-" + secret, "bfs-ann-1700000000-1600000000-0a1b-" + secret, secret})
        EXPECT_EQ(without_secrets("refused " + text + ", see\n"), "refused <removed>, see\n");
    const std::string kept =
        "MIG-GPU-6e9df987-a6e8-4d18-9476-9ea12a419e83 a-long-name-of-a-file-in-the-folder-of-samples\n";
    EXPECT_EQ(without_secrets(kept), kept);
}

TEST(Redact, RemovesThePasswordOfAnAddress) {
    EXPECT_EQ(without_secrets("etcd: https://ann:hunter2@10.0.0.1:2379 up\n"),
              "etcd: https://<removed>@10.0.0.1:2379 up\n");
    EXPECT_EQ(without_secrets("http://10.0.0.1:80/a@b\n"), "http://10.0.0.1:80/a@b\n");
}

TEST(Redact, RemovesValuesOfFlagsAndValuesBelowTheirName) {
    EXPECT_EQ(without_secrets("run --password hunter2 -- x\n"), "run --password <removed>\n");
    EXPECT_EQ(without_secrets("run --server-token=t-12\n"), "run --server-token=<removed>\n");
    EXPECT_EQ(without_secrets("password:\n  hunter2\n\n  more\nlisten: ::1\n"),
              "password:\n<removed>\n\n<removed>\nlisten: ::1\n");
    EXPECT_EQ(without_secrets("  \"tokens\": [\n    \"t-12\"\n  ],\n  \"gpus\": 2\n"),
              "  \"tokens\": <removed>\n<removed>\n  ],\n  \"gpus\": 2\n");
    EXPECT_EQ(without_secrets("cookie: |\n  a=1\nend\n"), "cookie: <removed>\n<removed>\nend\n");
}

TEST(Redact, RemovesKeysAndCertificates) {
    EXPECT_EQ(without_secrets("a\n-----BEGIN PRIVATE KEY-----\nMIIE\nshort\n-----END PRIVATE KEY-----\nb\n"),
              "a\n<removed>\nb\n");
    EXPECT_EQ(without_secrets("a\n-----BEGIN PRIVATE KEY-----\nMIIE cut short"), "a\n<removed>\n");
}

}  // namespace
}  // namespace bitfusion::cli
