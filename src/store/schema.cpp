#include "store/schema.h"

#include <charconv>

#include "store/open.h"

namespace bitfusion::store {
namespace {

constexpr char kSchemaKey[] = "schema";

}  // namespace

Status check_schema(Store& store, const std::string& where) {
    // Twice, since another server may be first to make an empty store its own.
    for (int attempt = 0; attempt < 2; ++attempt) {
        const auto all = store.read(kSchemaKey);
        if (!all) return tl::unexpected(all.error());
        for (const Entry& entry : all->entries) {
            if (entry.key != kSchemaKey) continue;
            int schema = 0;
            const char* end = entry.value.data() + entry.value.size();
            const auto [at, error] = std::from_chars(entry.value.data(), end, schema);
            if (error != std::errc() || at != end || schema < 1) {
                return fail(
                    where +
                        " is corrupt: its schema is no number; restore it from a backup, nothing was changed",
                    kCorrupt);
            }
            if (schema > kSchema) {
                return fail(where + " was written by a later version (schema " + entry.value +
                                ", this version knows " + std::to_string(kSchema) +
                                "); install that version, or restore a backup of before",
                            kTooNew);
            }
            return {};
        }
        const auto others = store.read("");
        if (!others) return tl::unexpected(others.error());
        if (!others->entries.empty()) {
            return fail(where + " is corrupt: it has entries, such as '" + others->entries.front().key +
                            "', but no schema; restore it from a backup, nothing was changed",
                        kCorrupt);
        }
        const auto made = store.commit({{{kSchemaKey, 0}}, {{kSchemaKey, std::to_string(kSchema)}}});
        if (!made) return tl::unexpected(made.error());
        if (made->done) return {};
    }
    return fail(where + " changes while it is opened; try again", kUnreachable);
}

}  // namespace bitfusion::store
