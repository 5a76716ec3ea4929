// What only the SQLite store does: damage, full disks, and processes that die while it writes.
#include "store/sqlite_store.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "store/store_fixture.h"

namespace bitfusion::store {
namespace {

Status put(Store& store, const std::string& key, const std::string& value) {
    const auto done = store.commit({{}, {{key, value}}});
    if (!done) return tl::unexpected(done.error());
    EXPECT_TRUE(done->done);
    return {};
}

void overwrite(const std::string& path, std::streamoff at, const std::string& bytes) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(at);
    file << bytes;
    ASSERT_TRUE(file.good());
}

std::string contents(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST(SqliteStore, IsOpenedByOneProcessAtATime) {
    Folder folder;
    const auto first = open_sqlite({folder.file("pool.db")});
    ASSERT_TRUE(first) << first.error().what;
    const auto second = open_sqlite({folder.file("pool.db")});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, kLocked);
    EXPECT_NE(second.error().what.find("stop it first"), std::string::npos);
}

TEST(SqliteStore, SaysThatItsFolderIsMissing) {
    const auto store = open_sqlite({"/nowhere/pool.db"});
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, kRefused);
}

TEST(SqliteStore, RefusesDamagedFilesAndSaysHowToRestore) {
    Folder folder;
    const std::string path = folder.file("pool.db");
    {
        auto store = open_sqlite({path});
        ASSERT_TRUE(store) << store.error().what;
        for (int i = 0; i < 200; ++i)
            ASSERT_TRUE(put(**store, "key/" + std::to_string(i),
                            "value-of-" + std::to_string(i) + std::string(200, 'x')));
    }
    const std::string good = contents(path);
    ASSERT_GT(good.size(), 20'000u);
    const auto refused = [&](const std::string& damage) {
        const auto store = open_sqlite({path});
        ASSERT_FALSE(store) << damage;
        EXPECT_EQ(store.error().code, kCorrupt) << damage << ": " << store.error().what;
        EXPECT_NE(store.error().what.find("restore"), std::string::npos) << store.error().what;
    };
    const auto reset = [&] {
        std::filesystem::remove(path + "-wal");
        std::filesystem::remove(path + "-shm");
        std::ofstream(path, std::ios::binary | std::ios::trunc) << good;
    };
    overwrite(path, 0, "not a database at all");
    refused("the header");
    reset();
    std::filesystem::resize_file(path, good.size() / 2);
    refused("half of the file");
    reset();
    overwrite(path, static_cast<std::streamoff>(good.find("value-of-77")), "value-of-78");
    refused("one value");
    reset();
    overwrite(path, 8192, std::string(4096, '\x5a'));
    refused("one page");
    reset();
    EXPECT_TRUE(open_sqlite({path}));
}

TEST(SqliteStore, LeavesDatabasesOfOthersAlone) {
    Folder folder;
    const std::string path = folder.file("other.db");
    sqlite3* other = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &other), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(other, "CREATE TABLE mine(x)", nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(other);
    const std::string before = contents(path);
    const auto store = open_sqlite({path});
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, kCorrupt);
    EXPECT_NE(store.error().what.find("another program"), std::string::npos);
    EXPECT_EQ(contents(path), before);
}

TEST(SqliteStore, LosesNothingWhenTheDiskIsFull) {
    Folder folder;
    SqliteOptions options{folder.file("pool.db"), 256 << 10};
    size_t written = 0;
    {
        auto store = open_sqlite(options);
        ASSERT_TRUE(store) << store.error().what;
        for (;; ++written) {
            ASSERT_LT(written, 1000u);
            const Status done = put(**store, "key/" + std::to_string(written), std::string(2000, 'x'));
            if (done) continue;
            EXPECT_EQ(done.error().code, kFull) << done.error().what;
            EXPECT_NE(done.error().what.find("make room"), std::string::npos);
            break;
        }
        EXPECT_GT(written, 50u);
        // It still reads, and what takes no room can still be written.
        EXPECT_EQ((*store)->read("key/")->entries.size(), written);
        const auto gone = (*store)->commit({{}, {{"key/0", std::nullopt}}});
        EXPECT_TRUE(gone && gone->done);
    }
    auto store = open_sqlite({options.path, 0});
    ASSERT_TRUE(store) << store.error().what;
    EXPECT_EQ((*store)->read("key/")->entries.size(), written - 1);
    EXPECT_TRUE(put(**store, "key/more", std::string(2000, 'x')));
}

TEST(SqliteStore, ForgetsWhatIsLongGoneAndTellsTheWatch) {
    Folder folder;
    auto store = open_sqlite({folder.file("pool.db")});
    ASSERT_TRUE(store);
    auto watch = (*store)->watch("", 1);
    ASSERT_TRUE(watch);
    auto current = (*store)->watch("k", 1);
    ASSERT_TRUE(current);
    for (int i = 0; i < 11'000; ++i) {
        const auto done =
            (*store)->commit({{}, {{"k", i % 2 == 0 ? std::optional<std::string>("v") : std::nullopt}}});
        ASSERT_TRUE(done && done->done);
        if (i != 5000) continue;
        ASSERT_TRUE((*current)->next(std::chrono::milliseconds(0)));
    }
    const auto late = (*watch)->next(std::chrono::milliseconds(0));
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, kCompacted);
    const auto events = (*current)->next(std::chrono::milliseconds(0));
    ASSERT_TRUE(events) << events.error().what;
    EXPECT_EQ(events->size(), 1u);
}

// A way to the disk on which the process dies at the n-th change of a file, so that nothing after it happens.
struct DyingDisk {
    sqlite3_vfs vfs{};
    sqlite3_vfs* real = nullptr;
    int left = 0;
};

DyingDisk& disk() {
    static DyingDisk instance;
    return instance;
}

struct DyingFile {
    sqlite3_file base;
    sqlite3_io_methods methods;
    const sqlite3_io_methods* real;
    // The real file follows at an aligned place.
    sqlite3_file* file() { return reinterpret_cast<sqlite3_file*>(this + 1); }
    static DyingFile* of(sqlite3_file* file) { return reinterpret_cast<DyingFile*>(file); }
};

void touch_disk() {
    if (--disk().left == 0) _exit(9);
}

sqlite3_file* inner(sqlite3_file* file) { return DyingFile::of(file)->file(); }

int open_file(sqlite3_vfs*, sqlite3_filename name, sqlite3_file* file, int flags, int* out) {
    auto* mine = DyingFile::of(file);
    file->pMethods = nullptr;
    const int code = disk().real->xOpen(disk().real, name, mine->file(), flags, out);
    if (code != SQLITE_OK) return code;
    mine->real = mine->file()->pMethods;
    sqlite3_io_methods& m = mine->methods;
    m = *mine->real;
    m.iVersion = 2;
    m.xClose = [](sqlite3_file* f) { return inner(f)->pMethods->xClose(inner(f)); };
    m.xRead = [](sqlite3_file* f, void* to, int size, sqlite3_int64 at) {
        return inner(f)->pMethods->xRead(inner(f), to, size, at);
    };
    m.xWrite = [](sqlite3_file* f, const void* from, int size, sqlite3_int64 at) {
        // Half of a write is what a power cut may leave.
        if (disk().left == 1) (void)inner(f)->pMethods->xWrite(inner(f), from, size / 2, at);
        touch_disk();
        return inner(f)->pMethods->xWrite(inner(f), from, size, at);
    };
    m.xTruncate = [](sqlite3_file* f, sqlite3_int64 size) {
        touch_disk();
        return inner(f)->pMethods->xTruncate(inner(f), size);
    };
    m.xSync = [](sqlite3_file* f, int how) {
        touch_disk();
        return inner(f)->pMethods->xSync(inner(f), how);
    };
    m.xFileSize = [](sqlite3_file* f, sqlite3_int64* size) {
        return inner(f)->pMethods->xFileSize(inner(f), size);
    };
    m.xLock = [](sqlite3_file* f, int how) { return inner(f)->pMethods->xLock(inner(f), how); };
    m.xUnlock = [](sqlite3_file* f, int how) { return inner(f)->pMethods->xUnlock(inner(f), how); };
    m.xCheckReservedLock = [](sqlite3_file* f, int* out_lock) {
        return inner(f)->pMethods->xCheckReservedLock(inner(f), out_lock);
    };
    m.xFileControl = [](sqlite3_file* f, int what, void* with) {
        return inner(f)->pMethods->xFileControl(inner(f), what, with);
    };
    m.xSectorSize = [](sqlite3_file* f) { return inner(f)->pMethods->xSectorSize(inner(f)); };
    m.xDeviceCharacteristics = [](sqlite3_file* f) {
        return inner(f)->pMethods->xDeviceCharacteristics(inner(f));
    };
    m.xShmMap = [](sqlite3_file* f, int page, int size, int extend, void volatile** out_map) {
        return inner(f)->pMethods->xShmMap(inner(f), page, size, extend, out_map);
    };
    m.xShmLock = [](sqlite3_file* f, int at, int count, int how) {
        return inner(f)->pMethods->xShmLock(inner(f), at, count, how);
    };
    m.xShmBarrier = [](sqlite3_file* f) { inner(f)->pMethods->xShmBarrier(inner(f)); };
    m.xShmUnmap = [](sqlite3_file* f, int remove) { return inner(f)->pMethods->xShmUnmap(inner(f), remove); };
    file->pMethods = &m;
    return SQLITE_OK;
}

void make_dying_disk() {
    if (disk().real != nullptr) return;
    disk().real = sqlite3_vfs_find(nullptr);
    disk().vfs = *disk().real;
    disk().vfs.zName = "dying";
    disk().vfs.szOsFile = static_cast<int>(sizeof(DyingFile)) + disk().real->szOsFile;
    disk().vfs.xOpen = open_file;
    ASSERT_EQ(sqlite3_vfs_register(&disk().vfs, 0), SQLITE_OK);
}

constexpr int kDone = 7;

// In a process of its own: opens the store and writes; a byte into the pipe for each answer.
[[noreturn]] void write_until_death(const std::string& path, int answers, int left) {
    disk().left = left;
    auto store = open_sqlite_with({path, 0}, "dying");
    if (!store) _exit(3);
    for (int i = 0; i < 8; ++i) {
        const std::string value = std::to_string(i) + std::string(3000, 'v');
        const auto done =
            (*store)->commit({{}, {{"a/" + std::to_string(i), value}, {"b/" + std::to_string(i), value}}});
        if (!done || !done->done || write(answers, "x", 1) != 1) _exit(4);
    }
    store->reset();
    _exit(kDone);
}

TEST(SqliteStore, KeepsWhatWasAnsweredWhereverTheProcessDies) {
    make_dying_disk();
    int status = 0;
    int cut = 1;
    for (;; ++cut) {
        ASSERT_LT(cut, 1000);
        SCOPED_TRACE("died at write " + std::to_string(cut));
        Folder folder;
        const std::string path = folder.file("pool.db");
        int ends[2];
        ASSERT_EQ(pipe(ends), 0);
        const pid_t child = fork();
        if (child == 0) write_until_death(path, ends[1], cut);
        ASSERT_GT(child, 0);
        close(ends[1]);
        size_t answered = 0;
        char byte = 0;
        while (read(ends[0], &byte, 1) == 1) ++answered;
        close(ends[0]);
        ASSERT_EQ(waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFEXITED(status));
        auto store = open_sqlite({path});
        ASSERT_TRUE(store) << store.error().what;
        const auto a = (*store)->read("a/");
        const auto b = (*store)->read("b/");
        ASSERT_TRUE(a && b);
        // What was answered is there; at most the one that was under way besides, and completely.
        EXPECT_GE(a->entries.size(), answered);
        EXPECT_LE(a->entries.size(), answered + 1);
        EXPECT_EQ(a->entries.size(), b->entries.size());
        if (WEXITSTATUS(status) == kDone) break;
        ASSERT_EQ(WEXITSTATUS(status), 9);
    }
    EXPECT_GT(cut, 40);
}

}  // namespace
}  // namespace bitfusion::store
