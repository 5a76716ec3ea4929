#include "store/etcd_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bitfusion::store {
namespace {

constexpr char kProgram[] = "/usr/bin/etcd";

// Ports that nobody had a moment ago.
std::vector<int> free_ports(size_t count) {
    std::vector<int> ports;
    std::vector<int> sockets;
    for (size_t i = 0; i < count; ++i) {
        const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        EXPECT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
        EXPECT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
        ports.push_back(ntohs(address.sin_port));
        sockets.push_back(listener);
    }
    for (const int listener : sockets) close(listener);
    return ports;
}

}  // namespace

EtcdProcess::EtcdProcess(std::vector<std::string> arguments, std::string endpoint)
    : arguments_(std::move(arguments)), endpoint_(std::move(endpoint)) {
    arguments_.push_back("--data-dir=" + folder_.file("data"));
    start();
}

void EtcdProcess::start() {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    std::vector<char*> argv;
    for (std::string& argument : arguments_) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(1);
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        execv(kProgram, argv.data());
        _exit(127);
    }
    close(ends[1]);
    output_ = ends[0];
}

bool EtcdProcess::serves() {
    std::string text;
    char chunk[4096];
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < until) {
        pollfd waiting{output_, POLLIN, 0};
        if (poll(&waiting, 1, 1000) <= 0) continue;
        const ssize_t got = read(output_, chunk, sizeof chunk);
        if (got <= 0) break;
        text.append(chunk, static_cast<size_t>(got));
        if (text.find("ready to serve client requests") == std::string::npos) continue;
        // Its further output goes nowhere; a full pipe would stop it.
        fcntl(output_, F_SETPIPE_SZ, 1 << 20);
        return true;
    }
    ADD_FAILURE() << "etcd did not start: " << text;
    return false;
}

void EtcdProcess::kill_now() {
    if (pid_ > 0) {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    if (output_ >= 0) close(output_);
    pid_ = -1;
    output_ = -1;
}

std::vector<std::unique_ptr<EtcdProcess>> start_etcd(size_t members) {
    std::vector<std::unique_ptr<EtcdProcess>> cluster;
    if (access(kProgram, X_OK) != 0) return cluster;
    const std::vector<int> ports = free_ports(2 * members);
    const auto url = [](int port) { return "http://127.0.0.1:" + std::to_string(port); };
    std::string all;
    for (size_t i = 0; i < members; ++i)
        all += (i == 0 ? "" : ",") + ("m" + std::to_string(i)) + "=" + url(ports[2 * i + 1]);
    for (size_t i = 0; i < members; ++i) {
        const std::string client = url(ports[2 * i]);
        const std::string peer = url(ports[2 * i + 1]);
        cluster.push_back(std::make_unique<EtcdProcess>(
            std::vector<std::string>{kProgram, "--name=m" + std::to_string(i),
                                     "--listen-client-urls=" + client, "--advertise-client-urls=" + client,
                                     "--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
                                     "--initial-cluster=" + all},
            client));
    }
    for (const auto& member : cluster) {
        if (!member->serves()) break;
    }
    return cluster;
}

}  // namespace bitfusion::store
