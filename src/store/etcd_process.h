// Real etcd processes on loopback, for tests: own ports, own data folders, gone with their objects.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "store/store_fixture.h"

namespace bitfusion::store {

constexpr char kNoEtcd[] = "etcd is not installed (Debian package etcd-server)";

class EtcdProcess {
  public:
    EtcdProcess(std::vector<std::string> arguments, std::string endpoint);
    ~EtcdProcess() { kill_now(); }
    EtcdProcess(const EtcdProcess&) = delete;
    EtcdProcess& operator=(const EtcdProcess&) = delete;

    const std::string& endpoint() const { return endpoint_; }
    // Returns when it serves; false if it ended before.
    bool serves();
    // SIGKILL, as a power cut does.
    void kill_now();
    // With the data that it had.
    void start();

  private:
    Folder folder_;
    std::vector<std::string> arguments_;
    std::string endpoint_;
    pid_t pid_ = -1;
    int output_ = -1;
};

// A cluster of so many that serves; empty when etcd is not installed.
std::vector<std::unique_ptr<EtcdProcess>> start_etcd(size_t members);

}  // namespace bitfusion::store
