// Workers are forked from a process that holds LLVM and nothing else: a fork of the user's process
// would copy its threads' locks and, with a model in memory, gigabytes of page tables.
#include "isolation/serve.h"
#include "module.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <memory>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unordered_map>

namespace llmopt {
namespace {

// opt crashes where its 8 MiB of stack end; deep recursion in LLVM need not be the end here.
constexpr rlim_t StackSize = rlim_t(64) << 20;

struct Child {
  pid_t pid;
  std::unique_ptr<Box> box; // the header alone
};

void lower(int resource, rlim_t value) {
  rlimit limit;
  getrlimit(static_cast<__rlimit_resource>(resource), &limit);
  limit.rlim_cur = limit.rlim_max < value ? limit.rlim_max : value;
  setrlimit(static_cast<__rlimit_resource>(resource), &limit);
}

// Address space that this process has now: LLVM, the interpreter, the box.
rlim_t addressSpace() {
  unsigned long pages = 0;
  if (FILE *const file = std::fopen("/proc/self/statm", "re")) {
    if (std::fscanf(file, "%lu", &pages) != 1)
      pages = 0;
    std::fclose(file);
  }
  return static_cast<rlim_t>(pages) * sysconf(_SC_PAGESIZE);
}

// Makes LLVM set up what it keeps for the life of a process, so that no worker has to.
void warmUp() {
  Module::read("target triple = \"x86_64-pc-linux-gnu\"\ndefine i32 @f() { ret i32 0 }", "warm-up")
      ->run("default<Oz>");
}

class ForkServer {
public:
  ForkServer(int control, pid_t parent) : control(control) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    deaths = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    // Tells of the parent's end even while a child of the parent keeps the socket open.
    parentEnd = static_cast<int>(syscall(SYS_pidfd_open, parent, 0));
    if (getppid() != parent)
      _exit(0);
  }

  [[noreturn]] void serve() {
    pollfd waits[] = {{control, POLLIN, 0}, {deaths, POLLIN, 0}, {parentEnd, POLLIN, 0}};
    for (;;) {
      if (poll(waits, 3, -1) < 0 && errno != EINTR)
        _exit(1);
      if (waits[2].revents)
        endAll();
      if (waits[1].revents)
        bury();
      if (waits[0].revents)
        obey();
    }
  }

private:
  void obey() {
    Order order;
    alignas(cmsghdr) char extra[CMSG_SPACE(sizeof(int))];
    iovec part{&order, sizeof order};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = extra;
    message.msg_controllen = sizeof extra;
    const ssize_t got = recvmsg(control, &message, MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR)
      return;
    if (got != sizeof order)
      endAll(); // the client has closed the socket
    if (order.kind == Order::Spawn)
      spawn(order, *reinterpret_cast<int *>(CMSG_DATA(CMSG_FIRSTHDR(&message))));
    else if (const auto found = children.find(order.id); found != children.end())
      kill(found->second.pid, SIGKILL);
  }

  void spawn(const Order &order, int file) {
    auto header = std::make_unique<Box>(file, BoxHeaderSize);
    header->keepFromChildren();
    const pid_t self = getpid();
    const pid_t pid = fork();
    if (pid == 0)
      becomeWorker(order, file, self);
    close(file);
    if (pid > 0) {
      children[order.id] = {pid, std::move(header)};
      return;
    }
    header->header().cause = Cause::NoProcess;
    end(header->header(), errno);
  }

  [[noreturn]] void becomeWorker(const Order &order, int file, pid_t server) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != server)
      _exit(0);
    close(control);
    close(deaths);
    close(parentEnd);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    static Box box(file);
    close(file);
    box.header().pid = getpid();
    reportCrashesTo(box);
    if (order.memory)
      lower(RLIMIT_AS, order.memory + addressSpace());
    serveRequests(box);
  }

  void bury() {
    signalfd_siginfo ignored;
    while (read(deaths, &ignored, sizeof ignored) > 0) {
    }
    int status;
    // One signal may stand for many deaths.
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
      for (auto child = children.begin(); child != children.end(); ++child)
        if (child->second.pid == pid) {
          end(child->second.box->header(), status);
          children.erase(child);
          break;
        }
  }

  // They would die with this process, but then their remains would wait for whoever adopts them.
  [[noreturn]] void endAll() {
    for (const auto &[id, child] : children)
      kill(child.pid, SIGKILL);
    while (waitpid(-1, nullptr, 0) > 0) {
    }
    _exit(0);
  }

  static void end(BoxHeader &header, int status) {
    header.waitStatus = status;
    header.ended = 1;
    ++header.replies;
    wakeUp(header.replies);
  }

  int control, deaths, parentEnd;
  std::unordered_map<uint64_t, Child> children;
};

} // namespace

void serveForks(int control, pid_t parent) {
  prctl(PR_SET_NAME, "llmopt-worker");
  // Ctrl-C is for the user's process, which then ends this one.
  signal(SIGINT, SIG_IGN);
  lower(RLIMIT_CORE, 0);
  lower(RLIMIT_STACK, StackSize);
  ForkServer server(control, parent);
  warmUp();
  server.serve();
}

} // namespace llmopt
