#include "pool/filter.h"

#include <gtest/gtest.h>

namespace bitfusion::pool {
namespace {

Server server() {
    Server server;
    server.address = "172.31.51.20:56001";
    server.hostname = "GPU-Host-7.example.org";
    server.cuda_version = "12.4";
    server.driver_version = "550.54.15";
    server.has_rdma = true;
    return server;
}

bool passes(const std::string& text, Gpu gpu = {3, 16160, "", "Tesla V100S-PCIE-32GB", "7.0"}) {
    const auto filter = parse_filter(text);
    if (!filter) {
        ADD_FAILURE() << filter.error().what;
        return false;
    }
    EXPECT_EQ(text_of(*filter), text);
    return holds(*filter, server(), gpu);
}

TEST(Filter, ComparesEveryField) {
    EXPECT_TRUE(passes("server.addr=172.31.51.20:56001"));
    EXPECT_TRUE(passes("server.addr=172.31.51.20"));
    EXPECT_FALSE(passes("server.addr=172.31.51.2"));
    EXPECT_TRUE(passes("server.addr!=172.31.51.2"));
    EXPECT_TRUE(passes("server.hostname=gpu-host"));
    EXPECT_FALSE(passes("server.hostname!=gpu-host"));
    EXPECT_TRUE(passes("server.has-rdma=true"));
    EXPECT_TRUE(passes("server.has-rdma!=false"));
    EXPECT_FALSE(passes("server.has-rdma=false"));
    EXPECT_TRUE(passes("device.id=3"));
    EXPECT_FALSE(passes("device.id<=2"));
    EXPECT_TRUE(passes("device.name=Tesla"));
    EXPECT_TRUE(passes("device.name!=H100"));
    EXPECT_TRUE(passes("device.phy-memory=16160"));
    EXPECT_TRUE(passes("device.phy-memory>=9999"));
    EXPECT_FALSE(passes("device.phy-memory>=16161"));
    EXPECT_TRUE(passes("device.capability>=7.0"));
    EXPECT_FALSE(passes("device.capability>=8"));
}

TEST(Filter, ComparesVersionsByTheirNumbersAsFarAsTheValueGoes) {
    EXPECT_TRUE(passes("server.cuda-version=12.4"));
    EXPECT_TRUE(passes("server.cuda-version=12"));
    EXPECT_FALSE(passes("server.cuda-version=1"));
    EXPECT_FALSE(passes("server.cuda-version<=12.3"));
    EXPECT_FALSE(passes("server.cuda-version>=12.10"));
    EXPECT_TRUE(passes("server.cuda-version>=11.10"));
    EXPECT_TRUE(passes("server.driver-version>=460.73.01"));
    EXPECT_FALSE(passes("server.driver-version!=550.54.15"));
    EXPECT_FALSE(passes("device.capability>=7.0", {0, 1, "", "", "unknown"}));
    EXPECT_FALSE(passes("device.capability<=7.0", {0, 1, "", "", ""}));
    EXPECT_TRUE(passes("device.capability!=7.0", {0, 1, "", "", ""}));
}

TEST(Filter, KnowsTheHostOfAnAddressOfIpv6) {
    Server six = server();
    six.address = "[fd00::7]:56001";
    EXPECT_TRUE(holds(*parse_filter("server.addr=[fd00::7]"), six, {}));
    EXPECT_TRUE(holds(*parse_filter("server.addr=[fd00::7]:56001"), six, {}));
    EXPECT_FALSE(holds(*parse_filter("server.addr=[fd00:"), six, {}));
    six.address = "[fd00::7]";
    EXPECT_TRUE(holds(*parse_filter("server.addr=[fd00::7]"), six, {}));
}

TEST(Filter, SaysWhatIsWrong) {
    const auto why = [](const std::string& text) {
        const auto filter = parse_filter(text);
        EXPECT_FALSE(filter) << text;
        EXPECT_EQ(filter ? 0 : filter.error().code, 400);
        return filter ? std::string() : filter.error().what;
    };
    EXPECT_NE(why("server.addr").find("has no test"), std::string::npos);
    EXPECT_NE(why("server.colour=red").find("device.phy-memory"), std::string::npos);
    EXPECT_NE(why("device.id>3").find("has no test that there is"), std::string::npos);
    EXPECT_NE(why("device.id=").find("needs a value"), std::string::npos);
    EXPECT_NE(why("device.id=-1").find("whole number"), std::string::npos);
    EXPECT_NE(why("device.id=99999999999999999999").find("whole number"), std::string::npos);
    EXPECT_NE(why("device.name>=Tesla").find("no order"), std::string::npos);
    EXPECT_NE(why("server.has-rdma=yes").find("true or false"), std::string::npos);
    EXPECT_NE(why("server.cuda-version=eleven").find("version"), std::string::npos);
    EXPECT_NE(why("server.cuda-version=11..2").find("version"), std::string::npos);
    EXPECT_NE(why("device.name=" + std::string(256, 'x')).find("255"), std::string::npos);
    EXPECT_NE(why("device.name=a\nb").find("printable"), std::string::npos);
}

}  // namespace
}  // namespace bitfusion::pool
