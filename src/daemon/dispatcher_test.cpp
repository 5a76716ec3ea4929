#include "daemon/dispatcher.h"

#include <gtest/gtest.h>

namespace bitfusion::daemon {
namespace {

TEST(Grant, NamesEverythingOnALineOfItsOwn) {
    asio::io_context io;
    Lease lease(io, UsageMemory::make().value());
    lease.id = "L";
    lease.grant.partition_mib = 1024;
    lease.grant.parts = {{0, 1024}, {3, 1024}};
    wire::Hello hello;
    hello.process = 77;
    hello.program = "evil\ndevices=9\x80";
    Report report;
    report.backend = "soft";
    Settings settings;
    settings.software_gpus = 4;
    settings.software_memory = 1 << 20;
    settings.mapped_memory = 8192;
    settings.shared_folder = "/srv/share";
    settings.state_dir = "/srv/state";
    settings.image_cache = 4096;
    EXPECT_EQ(grant_text(lease, hello, report, settings, {7, "4865:aa:bb:1:1"}),
              "backend=soft\ndevices=0,3\nmemory_mib=1024\nsoftware_gpus=4\nsoftware_memory=1048576\n"
              "software_capability=89\nsoftware_launch_limit=0\nlease=L\n"
              "program=evil?devices=9?\nprocess=77\ncapabilities=0\nslot=7\nmapped_memory=8192\nshared_"
              "folder=/srv/share\n"
              "image_cache=/srv/state/images\nimage_cache_bytes=4096\n"
              "tls=4865:aa:bb:1:1\n");
}

TEST(Harmless, KeepsPrintableAsciiAndCuts) {
    EXPECT_EQ(harmless("a b~", 10), "a b~");
    EXPECT_EQ(harmless("a\x1b[2J\n", 10), "a?[2J?");
    EXPECT_EQ(harmless("abcdef", 3), "abc");
}

}  // namespace
}  // namespace bitfusion::daemon
