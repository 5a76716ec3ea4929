#include "store/sqlite_database.h"

#include <sqlite3.h>

#include <utility>

#include "store/store.h"

namespace bitfusion::store {

SqliteStatement::SqliteStatement(SqliteDatabase& database, sqlite3_stmt* statement)
    : database_(&database), statement_(statement) {}

SqliteStatement::SqliteStatement(SqliteStatement&& other) noexcept
    : database_(other.database_), statement_(std::exchange(other.statement_, nullptr)) {}

SqliteStatement::~SqliteStatement() { sqlite3_finalize(statement_); }

SqliteStatement& SqliteStatement::bind(int index, std::string_view text) {
    // An empty view may have no address, which SQLite would take for NULL.
    const char* data = text.empty() ? "" : text.data();
    sqlite3_bind_text(statement_, index, data, static_cast<int>(text.size()), SQLITE_STATIC);
    return *this;
}

SqliteStatement& SqliteStatement::bind(int index, int64_t number) {
    sqlite3_bind_int64(statement_, index, number);
    return *this;
}

Result<bool> SqliteStatement::step() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return database_->error(code);
}

Status SqliteStatement::run() {
    for (;;) {
        const auto row = step();
        if (!row) return tl::unexpected(row.error());
        if (!*row) return {};
    }
}

int64_t SqliteStatement::number(int column) const { return sqlite3_column_int64(statement_, column); }

std::string SqliteStatement::text(int column) const {
    const void* data = sqlite3_column_blob(statement_, column);
    const int size = sqlite3_column_bytes(statement_, column);
    return data == nullptr ? std::string()
                           : std::string(static_cast<const char*>(data), static_cast<size_t>(size));
}

bool SqliteStatement::is_null(int column) const {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

SqliteDatabase::SqliteDatabase(std::string path, sqlite3* connection)
    : path_(std::move(path)), connection_(connection) {}

SqliteDatabase::~SqliteDatabase() { sqlite3_close(connection_); }

Result<std::unique_ptr<SqliteDatabase>> SqliteDatabase::open(const std::string& path, const char* vfs) {
    sqlite3* connection = nullptr;
    const int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    const int code = sqlite3_open_v2(path.c_str(), &connection, flags, vfs);
    auto database = std::make_unique<SqliteDatabase>(path, connection);
    if (code != SQLITE_OK) return database->error(code);
    return database;
}

Result<SqliteStatement> SqliteDatabase::prepare(std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    const int code =
        sqlite3_prepare_v2(connection_, sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
    if (code != SQLITE_OK) return error(code);
    return SqliteStatement(*this, statement);
}

Status SqliteDatabase::run(std::string_view sql) {
    auto statement = prepare(sql);
    if (!statement) return tl::unexpected(statement.error());
    return statement->run();
}

Result<int64_t> SqliteDatabase::number(std::string_view sql) {
    auto statement = prepare(sql);
    if (!statement) return tl::unexpected(statement.error());
    const auto row = statement->step();
    if (!row) return tl::unexpected(row.error());
    return *row ? statement->number(0) : 0;
}

tl::unexpected<Error> SqliteDatabase::error(int code) const {
    const std::string store = "the store " + path_;
    const std::string why = connection_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(connection_);
    switch (code & 0xff) {
        case SQLITE_FULL:
            return fail(store + " cannot grow: the disk or its quota is full; make room, nothing was lost",
                        kFull);
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return fail(store + " is corrupt (" + why +
                            "); stop the manager, move the file away and restore a backup in its place",
                        kCorrupt);
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return fail(store + " is in use by another program; end that one", kLocked);
        case SQLITE_CANTOPEN:
        case SQLITE_PERM:
        case SQLITE_READONLY:
        case SQLITE_AUTH:
            return fail(store + " cannot be opened for writing (" + why +
                            "); check that its folder exists and belongs to the manager's user",
                        kRefused);
        default:
            return fail(store + " fails: " + why + "; check the disk", kUnreachable);
    }
}

}  // namespace bitfusion::store
