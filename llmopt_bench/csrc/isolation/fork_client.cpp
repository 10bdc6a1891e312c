#include "isolation/serve.h"
#include "isolation/worker.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

namespace llmopt {
namespace {

// Enough for a session, its settled answer and a reference at the same time.
constexpr size_t MaxIdle = 4;

std::atomic<uint32_t> generationOfProcess{0};

[[maybe_unused]] const int registered =
    pthread_atfork(nullptr, nullptr, [] { ++generationOfProcess; });

} // namespace

uint32_t forkGeneration() { return generationOfProcess; }

ForkServer::ForkServer(int socket) : socket(socket), generation(forkGeneration()) {}

ForkServer::~ForkServer() { close(); }

bool ForkServer::alive() const {
  const int file = socket;
  if (file < 0 || isForeign())
    return false;
  pollfd state{file, 0, 0};
  return poll(&state, 1, 0) == 0;
}

void ForkServer::close() {
  if (const int file = socket.exchange(-1); file >= 0)
    ::close(file);
}

bool ForkServer::order(uint32_t kind, uint64_t id, uint64_t memory, int file) {
  Order order{static_cast<Order::Kind>(kind), id, memory};
  iovec part{&order, sizeof order};
  alignas(cmsghdr) char extra[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (file >= 0) {
    message.msg_control = extra;
    message.msg_controllen = sizeof extra;
    cmsghdr *const head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    *reinterpret_cast<int *>(CMSG_DATA(head)) = file;
  }
  return !isForeign() &&
         sendmsg(socket, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof order);
}

std::shared_ptr<Worker> ForkServer::take(uint64_t memory) {
  std::unique_ptr<Worker> worker = takeIdle(memory);
  if (!worker)
    worker = std::make_unique<Worker>(*this, ++lastId, memory);
  auto keep = shared_from_this();
  return {worker.release(), [keep](Worker *worker) {
            keep->giveBack(std::unique_ptr<Worker>(worker));
          }};
}

std::unique_ptr<Worker> ForkServer::takeIdle(uint64_t memory) {
  std::lock_guard<std::mutex> lock(mutex);
  for (size_t i = idle.size(); i-- > 0;) {
    if (idle[i]->memory == memory || !idle[i]->alive()) {
      std::unique_ptr<Worker> found = std::move(idle[i]);
      idle.erase(idle.begin() + i);
      if (found->alive())
        return found;
    }
  }
  return nullptr;
}

void ForkServer::giveBack(std::unique_ptr<Worker> worker) {
  // In a forked child the lock may have been held by a thread that is not there.
  if (isForeign() || !worker->alive() || worker->wornOut())
    return;
  worker->later(Op::DropAll, 0);
  std::lock_guard<std::mutex> lock(mutex);
  if (idle.size() < MaxIdle)
    idle.push_back(std::move(worker));
}

} // namespace llmopt
