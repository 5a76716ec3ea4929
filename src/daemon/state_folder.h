// StateFolder: where a server keeps what outlives it: its pool's authority, its own certificate and key, its
// id, and the database. Folder 0700, files 0600.
//
//   ca.crt ca.key          the authority; the key only on servers that may enrol others
//   server.crt server.key  this server
//   server.id              its id in the pool
//   pool.id                of a server that joined: the pool's id; no other pool's store is opened
//   pool.db                the database (store/open.h), unless the pool has etcd
//
// Files are complete or absent: written beside their place and renamed.
#pragma once

#include <string>

#include "base/result.h"
#include "identity/certificate.h"

namespace bitfusion::daemon {

constexpr const char* kPoolFile = "pool.id";

class StateFolder {
  public:
    explicit StateFolder(std::string path) : path_(std::move(path)) {}
    // The one for the user who runs this process, where the settings name none.
    static std::string usual();

    const std::string& path() const { return path_; }
    std::string file(const std::string& name) const { return path_ + "/" + name; }
    std::string database() const { return file("pool.db"); }
    std::string server_certificate() const { return file("server.crt"); }
    std::string server_key() const { return file("server.key"); }

    bool initialised() const;  // has an authority and a server's certificate
    Status make() const;       // the folder
    Result<std::string> read(const std::string& name) const;
    Status write(const std::string& name, const std::string& content) const;
    // The server's id; made where there is none yet.
    Result<std::string> server_id() const;
    Result<identity::KeyPair> authority() const;

  private:
    std::string path_;
};

// Writes a file of mode 0600, complete or not at all.
Status write_secret_file(const std::string& path, const std::string& content);
Result<std::string> read_whole_file(const std::string& path);
// Makes the folder and those above it that are missing, for this user only.
Status make_folder(const std::string& path);

}  // namespace bitfusion::daemon
