#include "store/etcd_http.h"

#include <gtest/gtest.h>

namespace bitfusion::store {
namespace {

TEST(EtcdHttp, WritesBytesAsBase64) {
    for (size_t size = 0; size < 200; ++size) {
        std::string bytes;
        for (size_t i = 0; i < size; ++i) bytes += static_cast<char>(i * 7 + size);
        EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
    }
    // RFC 4648, section 10.
    EXPECT_EQ(to_base64("f"), "Zg==");
    EXPECT_EQ(to_base64("fo"), "Zm8=");
    EXPECT_EQ(to_base64("foobar"), "Zm9vYmFy");
    EXPECT_FALSE(from_base64("Zg="));
    EXPECT_FALSE(from_base64("Z*=="));
}

TEST(EtcdHttp, SaysWhatIsWrongWithAnEndpoint) {
    for (const char* text :
         {"", "127.0.0.1:2379", "ftp://127.0.0.1:2379", "http://127.0.0.1", "http://a@b:1", "http://:1"}) {
        const auto http = EtcdHttp::make({{text}});
        ASSERT_FALSE(http) << text;
        EXPECT_EQ(http.error().code, kMalformed);
    }
    EXPECT_TRUE(EtcdHttp::make({{"http://[::1]:2379/"}}));
    EXPECT_FALSE(EtcdHttp::make({}));
}

TEST(EtcdHttp, SaysThatNobodyAnswers) {
    // Port 1 of loopback: nobody listens there.
    const auto store = open_etcd({{"http://127.0.0.1:1", "https://127.0.0.1:1"}});
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, kUnreachable);
    EXPECT_NE(store.error().what.find("does not answer: Connection refused"), std::string::npos)
        << store.error().what;
}

TEST(EtcdHttp, SaysThatACertificateIsMissing) {
    EtcdOptions options{{"https://127.0.0.1:1"}};
    options.ca_file = "/nowhere/ca.crt";
    const auto store = open_etcd(options);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, kRefused);
}

}  // namespace
}  // namespace bitfusion::store
