// ConsoleFiles: the pages of the web console, as they lie in share/bitfusion/console.
//
// The folder is read as a whole, and a request is answered from what was read: no path of a request is ever
// opened, so none can lead out of the folder. Read again when index.html has changed. Bounded; links, hidden
// files and folders within folders within folders are left out. NAME.gz beside NAME is sent to who takes
// gzip. The daemon's thread only.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"

namespace bitfusion::daemon {

struct ConsoleFile {
    std::string content;
    std::string gzip;  // the same, compressed; empty: there is none
    std::string etag;
    std::string type;        // media type
    bool immutable = false;  // its name has a hash of its content
};

class ConsoleFiles {
  public:
    static constexpr size_t kMostFiles = 512;
    static constexpr size_t kMostBytes = 32 << 20;

    explicit ConsoleFiles(std::filesystem::path folder) : folder_(std::move(folder)) {}

    // `name` is what follows /console/; "" is index.html. Null: there is no such file.
    std::shared_ptr<const ConsoleFile> find(const std::string& name);

  private:
    void read();
    void take(const std::filesystem::path& file, const std::string& name);

    std::filesystem::path folder_;
    std::filesystem::file_time_type read_at_ = std::filesystem::file_time_type::min();
    std::map<std::string, std::shared_ptr<ConsoleFile>> files_;
    size_t bytes_ = 0;
};

// "app-3f2a91bc.js": true; "index.html": false.
bool has_hash(const std::string& name);

}  // namespace bitfusion::daemon
