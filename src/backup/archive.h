// Archive: a backup as one file: a manifest and the files that it names, in one zstd frame with a checksum.
//
//   "BFBACKUP", u32 version 1, u32 length of the manifest (little endian), the manifest (JSON), the files'
//   bytes one after another, "BFBACKEND"
//
// Everything is bounded before it is read, and unpacking believes nothing until the frame has ended with the
// right checksum: a damaged, cut or foreign file is refused, and what was unpacked of it is removed.
// The archive has no secrets by itself: who writes it must not put any in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace bitfusion::backup {

struct Entry {
    std::string path;  // "health.json", "history/0.series": one or two parts of a-z 0-9 . _ -
    uint64_t bytes = 0;
};

struct Manifest {
    std::string pool;     // whose it is
    std::string name;     // as its maker called it
    std::string version;  // of the release that wrote it
    int64_t created = 0;  // seconds since 1970
    std::vector<Entry> entries;
};

struct Limits {
    uint64_t most_bytes = UINT64_C(2) << 30;  // unpacked
    size_t most_entries = 100000;
};

// One to 64 of A-Z a-z 0-9 . _ -, not beginning with a dot.
bool proper_name(const std::string& name);

// Writes the files `root`/path of the manifest, whose sizes it fills in. Complete or not there at all.
Status write(const std::filesystem::path& file, Manifest manifest, const std::filesystem::path& root);

// The manifest alone; the rest may still be damaged.
Result<Manifest> read_manifest(const std::filesystem::path& file, const Limits& limits = {});

// Unpacks into `root`, which must not exist yet and does not exist when this fails.
Result<Manifest> unpack(const std::filesystem::path& file, const std::filesystem::path& root,
                        const Limits& limits = {});

}  // namespace bitfusion::backup
