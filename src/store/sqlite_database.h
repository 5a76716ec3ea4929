// SqliteDatabase: one connection to an SQLite file, and statements that cannot be forgotten. Private to
// src/store.
//
// Errors carry the room's codes (store.h) and say what to do. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace bitfusion::store {

class SqliteDatabase;

class SqliteStatement {
  public:
    ~SqliteStatement();
    SqliteStatement(SqliteStatement&& other) noexcept;
    SqliteStatement(const SqliteStatement&) = delete;
    SqliteStatement& operator=(const SqliteStatement&) = delete;

    // Parameters count from 1. Texts are read when the statement runs.
    SqliteStatement& bind(int index, std::string_view text);
    SqliteStatement& bind(int index, int64_t number);
    // True: there is a row.
    Result<bool> step();
    // Runs it to its end and ignores rows.
    Status run();
    int64_t number(int column) const;
    std::string text(int column) const;
    bool is_null(int column) const;

  private:
    friend class SqliteDatabase;
    SqliteStatement(SqliteDatabase& database, sqlite3_stmt* statement);

    SqliteDatabase* database_;
    sqlite3_stmt* statement_;
};

class SqliteDatabase {
  public:
    // Opens or makes the file. `vfs`: SQLite's name of another way to the disk, for tests that let it fail.
    static Result<std::unique_ptr<SqliteDatabase>> open(const std::string& path, const char* vfs = nullptr);
    // Takes over what sqlite3_open_v2 gave; use open().
    SqliteDatabase(std::string path, sqlite3* connection);
    ~SqliteDatabase();
    SqliteDatabase(const SqliteDatabase&) = delete;
    SqliteDatabase& operator=(const SqliteDatabase&) = delete;

    Result<SqliteStatement> prepare(std::string_view sql);
    Status run(std::string_view sql);
    Result<int64_t> number(std::string_view sql);

    // What SQLite last failed with, in the words of this room.
    tl::unexpected<Error> error(int code) const;
    const std::string& path() const { return path_; }

  private:
    std::string path_;
    sqlite3* connection_;
};

}  // namespace bitfusion::store
