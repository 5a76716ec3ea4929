// What tests of the SQLite store need beyond open.h. Private to src/store.
#pragma once

#include "store/open.h"

namespace bitfusion::store {

// Through another of SQLite's ways to the disk (VFS), by its name.
Result<std::unique_ptr<Store>> open_sqlite_with(const SqliteOptions& options, const char* vfs);

}  // namespace bitfusion::store
