// What a process and its worker say to each other, as bytes in the memory that they share.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace llmopt {

// A request is any number of Drop and Clone, which have no answer, and one other operation.
enum class Op : uint32_t {
  Drop,
  Clone,
  DropAll,
  Read,
  Run,
  RunClang,
  Step,
  Evaluate,
  EvaluateList,
  EvaluateHere,
  Reference,
  Bitcode,
  Text,
  NormalizedText,
  ContentHash,
  Verify,
  InstructionCount,
  TextSize,
  Object,
  Functions,
  ExternalDefinitions,
  Autophase,
  Instcount,
  Graph,
};

class Writer {
public:
  Writer(char *data, size_t capacity) : start(data), at(data), end(data + capacity) {}

  template <typename T> void put(T value) {
    static_assert(std::is_arithmetic_v<T> || std::is_enum_v<T>);
    putBytes(&value, sizeof value);
  }
  void put(std::string_view text) {
    put<uint64_t>(text.size());
    putBytes(text.data(), text.size());
  }
  void put(const std::string &text) { put(std::string_view(text)); }
  void put(const std::vector<std::string> &texts) {
    put<uint64_t>(texts.size());
    for (const std::string &text : texts)
      put(text);
  }
  template <typename T> void put(const std::vector<T> &values) {
    static_assert(std::is_arithmetic_v<T>);
    put<uint64_t>(values.size());
    putBytes(values.data(), values.size() * sizeof(T));
  }
  void putBytes(const void *data, size_t size) {
    if (size > static_cast<size_t>(end - at))
      throw std::length_error("message of more than " + std::to_string(end - start) + " bytes");
    std::memcpy(at, data, size);
    at += size;
  }
  size_t size() const { return at - start; }

private:
  char *start, *at, *end;
};

class Reader {
public:
  Reader(const char *data, size_t size) : at(data), end(data + size) {}

  template <typename T> T get() {
    T value;
    std::memcpy(&value, take(sizeof value), sizeof value);
    return value;
  }
  // Valid as long as the message is.
  std::string_view view() {
    const auto size = get<uint64_t>();
    return {take(size), size};
  }
  std::string text() { return std::string(view()); }
  std::vector<std::string> texts() {
    std::vector<std::string> out(get<uint64_t>());
    for (std::string &text : out)
      text = this->text();
    return out;
  }
  template <typename T> std::vector<T> values() {
    const auto size = get<uint64_t>();
    std::vector<T> out(size);
    copyTo(out.data(), size * sizeof(T));
    return out;
  }
  void copyTo(void *out, size_t size) { std::memcpy(out, take(size), size); }

private:
  const char *take(size_t size) {
    if (size > static_cast<size_t>(end - at))
      throw std::length_error("message that ends early");
    const char *const here = at;
    at += size;
    return here;
  }

  const char *at, *end;
};

} // namespace llmopt
