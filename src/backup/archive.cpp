#include "backup/archive.h"

#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

namespace bitfusion::backup {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr char kMagic[8] = {'B', 'F', 'B', 'A', 'C', 'K', 'U', 'P'};
constexpr char kEnd[9] = {'B', 'F', 'B', 'A', 'C', 'K', 'E', 'N', 'D'};
constexpr uint32_t kVersion = 1;
constexpr uint32_t kMostManifestBytes = 16 << 20;
constexpr size_t kMostText = 256;
constexpr size_t kPiece = 256 << 10;

bool proper_path(const std::string& path) {
    size_t parts = 1;
    char before = '/';
    for (const char c : path) {
        const bool letter =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
        if (!letter && c != '/') return false;
        if (c == '/') ++parts;
        if (before == '/' && (c == '/' || c == '.')) return false;
        before = c;
    }
    return !path.empty() && path.size() <= 128 && before != '/' && parts <= 2;
}

std::string prefix_of(const json& manifest, std::string* text) {
    *text = manifest.dump();
    const auto length = static_cast<uint32_t>(text->size());
    std::string prefix(kMagic, sizeof kMagic);
    for (const uint32_t number : {kVersion, length}) {
        for (int shift = 0; shift < 32; shift += 8) prefix += static_cast<char>(number >> shift & 0xff);
    }
    return prefix;
}

json document_of(const Manifest& manifest) {
    json entries = json::array();
    for (const Entry& entry : manifest.entries)
        entries.push_back({{"path", entry.path}, {"bytes", entry.bytes}});
    return {{"pool", manifest.pool},
            {"name", manifest.name},
            {"version", manifest.version},
            {"created", manifest.created},
            {"entries", std::move(entries)}};
}

bool read_text(const json& root, const char* key, std::string* text) {
    const auto found = root.find(key);
    if (found == root.end() || !found->is_string() || found->get_ref<const std::string&>().size() > kMostText)
        return false;
    *text = found->get<std::string>();
    return true;
}

Result<Manifest> manifest_of(const std::string& text, const Limits& limits) {
    const auto wrong = [] { return fail("its list of contents is not one"); };
    const json root = json::parse(text, nullptr, false);
    Manifest manifest;
    if (!root.is_object() || !read_text(root, "pool", &manifest.pool) ||
        !read_text(root, "name", &manifest.name) || !read_text(root, "version", &manifest.version) ||
        !proper_name(manifest.name)) {
        return wrong();
    }
    const auto created = root.find("created");
    const auto entries = root.find("entries");
    if (created == root.end() || !created->is_number_integer() || entries == root.end() ||
        !entries->is_array() || entries->size() > limits.most_entries) {
        return wrong();
    }
    manifest.created = created->get<int64_t>();
    uint64_t total = 0;
    std::set<std::string> seen;
    for (const json& object : *entries) {
        Entry entry;
        if (!object.is_object() || !read_text(object, "path", &entry.path) || !proper_path(entry.path))
            return wrong();
        const auto bytes = object.find("bytes");
        if (bytes == object.end() || !bytes->is_number_unsigned()) return wrong();
        entry.bytes = bytes->get<uint64_t>();
        if (entry.bytes > limits.most_bytes - total) return fail("it would need more room than is allowed");
        total += entry.bytes;
        if (!seen.insert(entry.path).second) return wrong();
        manifest.entries.push_back(std::move(entry));
    }
    return manifest;
}

tl::unexpected<Error> refused(const fs::path& file, const std::string& why) {
    return fail(file.filename().string() + " is not a complete backup of bitfusion: " + why +
                    "; nothing was changed, take another copy of it",
                400);
}

struct FreeCompressor {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
struct FreeDecompressor {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// Compresses into a file.
class Writer {
  public:
    explicit Writer(const fs::path& file)
        : context_(ZSTD_createCCtx()), out_(file, std::ios::binary), buffer_(kPiece) {
        ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1);
    }
    bool put(const char* data, size_t bytes, bool last = false) {
        ZSTD_inBuffer in{data, bytes, 0};
        const ZSTD_EndDirective how = last ? ZSTD_e_end : ZSTD_e_continue;
        for (;;) {
            ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
            const size_t left = ZSTD_compressStream2(context_.get(), &out, &in, how);
            if (ZSTD_isError(left)) return false;
            out_.write(buffer_.data(), static_cast<std::streamsize>(out.pos));
            if (!out_) return false;
            if (last ? left == 0 : in.pos == in.size) return true;
        }
    }
    bool finish() {
        out_.close();
        return !out_.fail();
    }

  private:
    std::unique_ptr<ZSTD_CCtx, FreeCompressor> context_;
    std::ofstream out_;
    std::vector<char> buffer_;
};

// Decompresses one frame from a file; exactly what is asked for, or nothing.
class Reader {
  public:
    explicit Reader(const fs::path& file)
        : context_(ZSTD_createDCtx()), in_(file, std::ios::binary), buffer_(kPiece) {
        // Frames that ask for more memory than ours ever need are not ours.
        ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, 23);
    }
    bool get(char* data, size_t bytes) {
        ZSTD_outBuffer out{data, bytes, 0};
        while (out.pos < out.size) {
            if (!step(&out)) return false;
        }
        return true;
    }
    // After the last byte: the frame has ended, its checksum was right, and the file has no more.
    bool at_end() {
        char none = 0;
        ZSTD_outBuffer out{&none, 0, 0};
        while (!ended_) {
            if (!step(&out)) return false;
        }
        return input_.pos == input_.size && in_.peek() == std::ifstream::traits_type::eof();
    }

  private:
    bool step(ZSTD_outBuffer* out) {
        if (ended_) return false;
        if (input_.pos == input_.size) {
            in_.read(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
            input_ = {buffer_.data(), static_cast<size_t>(in_.gcount()), 0};
            if (input_.size == 0 && starved_) return false;
            starved_ = input_.size == 0;
        }
        const size_t left = ZSTD_decompressStream(context_.get(), out, &input_);
        if (ZSTD_isError(left)) return false;
        ended_ = left == 0;
        return true;
    }

    std::unique_ptr<ZSTD_DCtx, FreeDecompressor> context_;
    std::ifstream in_;
    std::vector<char> buffer_;
    ZSTD_inBuffer input_{nullptr, 0, 0};
    bool ended_ = false;
    bool starved_ = false;
};

Result<Manifest> read_head(Reader& reader, const Limits& limits) {
    char prefix[16];
    if (!reader.get(prefix, sizeof prefix)) return fail("it does not begin like one");
    if (memcmp(prefix, kMagic, sizeof kMagic) != 0) return fail("it does not begin like one");
    const auto number = [&prefix](size_t at) {
        uint32_t value = 0;
        for (size_t i = 0; i < 4; ++i)
            value |= static_cast<uint32_t>(static_cast<uint8_t>(prefix[at + i])) << (8 * i);
        return value;
    };
    if (number(8) != kVersion) return fail("it is of another release, format " + std::to_string(number(8)));
    if (number(12) > kMostManifestBytes) return fail("its list of contents is too long");
    std::string text(number(12), '\0');
    if (!reader.get(text.data(), text.size())) return fail("it is cut short");
    return manifest_of(text, limits);
}

Status copy_out(Reader& reader, const Entry& entry, const fs::path& root) {
    const fs::path file = root / entry.path;
    std::error_code error;
    fs::create_directories(file.parent_path(), error);
    std::ofstream out(file, std::ios::binary);
    std::vector<char> piece(kPiece);
    for (uint64_t left = entry.bytes; left > 0;) {
        const size_t bytes = static_cast<size_t>(std::min<uint64_t>(left, piece.size()));
        if (!reader.get(piece.data(), bytes)) return fail("it is damaged or cut short", 400);
        out.write(piece.data(), static_cast<std::streamsize>(bytes));
        left -= bytes;
    }
    out.close();
    if (!out) return fail("cannot write " + file.string() + ": " + strerror(errno) + "; make room", 503);
    return {};
}

}  // namespace

bool proper_name(const std::string& name) {
    return !name.empty() && name.size() <= 64 && name[0] != '.' &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_' || c == '-';
           });
}

Status write(const fs::path& file, Manifest manifest, const fs::path& root) {
    if (!proper_name(manifest.name))
        return fail("a backup's name has 1 to 64 of A-Z a-z 0-9 . _ - and does not begin with a dot", 400);
    std::error_code error;
    for (Entry& entry : manifest.entries) {
        if (!proper_path(entry.path)) return fail("'" + entry.path + "' cannot be the path of an entry");
        entry.bytes = fs::file_size(root / entry.path, error);
        if (error) return fail("cannot read " + (root / entry.path).string() + ": " + error.message());
    }
    const fs::path beside = file.string() + ".part";
    const auto give_up = [&](const std::string& why) {
        fs::remove(beside, error);
        return fail("cannot write " + file.string() + ": " + why, 503);
    };
    Writer writer(beside);
    std::string text;
    const std::string prefix = prefix_of(document_of(manifest), &text);
    const std::string full = std::string(strerror(errno == 0 ? ENOSPC : errno)) + "; make room on its disk";
    if (!writer.put(prefix.data(), prefix.size()) || !writer.put(text.data(), text.size()))
        return give_up(full);
    std::vector<char> piece(kPiece);
    for (const Entry& entry : manifest.entries) {
        std::ifstream in(root / entry.path, std::ios::binary);
        for (uint64_t left = entry.bytes; left > 0;) {
            in.read(piece.data(), static_cast<std::streamsize>(std::min<uint64_t>(left, piece.size())));
            const auto got = static_cast<size_t>(in.gcount());
            if (got == 0) return give_up(entry.path + " changed while it was read; try again");
            if (!writer.put(piece.data(), got)) return give_up("make room on its disk");
            left -= got;
        }
    }
    if (!writer.put(kEnd, sizeof kEnd, true) || !writer.finish()) return give_up("make room on its disk");
    fs::rename(beside, file, error);
    if (error) return give_up(error.message());
    return {};
}

Result<Manifest> read_manifest(const fs::path& file, const Limits& limits) {
    Reader reader(file);
    auto manifest = read_head(reader, limits);
    if (!manifest) return refused(file, manifest.error().what);
    return manifest;
}

Result<Manifest> unpack(const fs::path& file, const fs::path& root, const Limits& limits) {
    Reader reader(file);
    auto manifest = read_head(reader, limits);
    if (!manifest) return refused(file, manifest.error().what);
    std::error_code error;
    if (!fs::create_directory(root, error))
        return fail("cannot make " + root.string() + ": " + (error ? error.message() : "it is there") +
                        "; look at what is in it and remove it",
                    503);
    const auto give_up = [&](const Error& why) -> Result<Manifest> {
        fs::remove_all(root, error);
        if (why.code == 503) return tl::unexpected(why);
        return refused(file, why.what);
    };
    for (const Entry& entry : manifest->entries) {
        if (auto copied = copy_out(reader, entry, root); !copied) return give_up(copied.error());
    }
    char end[sizeof kEnd];
    if (!reader.get(end, sizeof end) || memcmp(end, kEnd, sizeof end) != 0 || !reader.at_end())
        return give_up({"it is damaged or cut short", 400});
    return manifest;
}

}  // namespace bitfusion::backup
