#include "daemon/worker_words.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <string_view>

#include "daemon/log_book.h"

namespace bitfusion::daemon {
namespace {

// Everything that `said` puts into the log book.
nlohmann::json lines_of(std::string_view said, log::Level most = log::Level::kInfo) {
    asio::io_context io;
    LogBook book(io);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return nullptr;
    const size_t fits = fcntl(ends[1], F_SETPIPE_SZ, 1 << 20) > 0 ? said.size() : 0;
    EXPECT_EQ(write(ends[1], said.data(), fits), static_cast<ssize_t>(said.size()));
    close(ends[1]);
    asio::co_spawn(io, hear_worker(Descriptor(ends[0]), 77), asio::detached);
    io.run();
    return book.read(most, 0, 1000)["lines"];
}

TEST(WorkerWords, KeepRoomAndLevel) {
    const auto lines = lines_of(
        "2026-11-22T07:24:25.123Z error device[99] no memory\n2026-11-22T07:24:25.124Z info worker[99] here\n"
        "2026-11-22T07:24:25.125Z debug worker[99] too fine for the book\n");
    ASSERT_EQ(lines.size(), 2u) << lines.dump();
    EXPECT_EQ(lines[0]["level"], "error");
    EXPECT_EQ(lines[0]["part"], "device");
    EXPECT_EQ(lines[0]["text"], "worker 77: no memory");
    EXPECT_EQ(lines[1]["level"], "info");
    // The time is that of the server: the worker's word is not taken for it.
    EXPECT_NE(lines[0]["time"], "2026-11-22T07:24:25.123Z");
}

TEST(WorkerWords, OfAnotherFormAreWarnings) {
    const auto lines =
        lines_of("terminate called\n\n2026-11-22T07:24:25.123Z error Room\x1b[ x[9] forged\nlast");
    ASSERT_EQ(lines.size(), 3u) << lines.dump();
    EXPECT_EQ(lines[0]["text"], "worker 77: terminate called");
    EXPECT_EQ(lines[0]["level"], "warn");
    EXPECT_EQ(lines[1]["part"], "worker");
    EXPECT_EQ(lines[1]["text"].get<std::string>().find('\x1b'), std::string::npos);
    EXPECT_EQ(lines[2]["text"], "worker 77: last");
}

TEST(WorkerWords, AreBoundedInLengthAndNumber) {
    const auto one = lines_of(std::string(300000, 'x') + "\nafter\n");
    ASSERT_EQ(one.size(), 2u);
    EXPECT_LT(one[0]["text"].get<std::string>().size(), 2000u);
    EXPECT_EQ(one[1]["text"], "worker 77: after");
    std::string many;
    for (int i = 0; i < 900; ++i) many += "line " + std::to_string(i) + "\n";
    // Within a second, or two where the machine is slow.
    EXPECT_LE(lines_of(many).size(), 2u * kMostWorkerLines + 1);
}

TEST(WorkerWords, WorkersAreToldToSayWhatTheBookKeeps) {
    EXPECT_EQ(worker_log_levels(nullptr), "info");
    EXPECT_EQ(worker_log_levels(""), "info");
    EXPECT_EQ(worker_log_levels("warn"), "info");
    EXPECT_EQ(worker_log_levels("off,device=error"), "info");
    EXPECT_EQ(worker_log_levels("debug"), "debug");
    EXPECT_EQ(worker_log_levels("warn,device=trace"), "info,device=trace");
    EXPECT_EQ(worker_log_levels("device=trace,debug,link=debug,worker=off"), "debug,device=trace,link=debug");
    EXPECT_EQ(worker_log_levels(",,="), "info");
}

}  // namespace
}  // namespace bitfusion::daemon
