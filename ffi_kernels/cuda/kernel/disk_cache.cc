// SPDX-License-Identifier: Apache-2.0
// Implementation of disk_cache.h.
//
// File format: kMagic, checksum of the rest, length of the key, key, content; numbers as 64-bit words.
#include "ffi_kernels/cuda/kernel/disk_cache.h"

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

namespace jax_oneshot::cuda {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "ONESHOT1";
constexpr size_t kWord = sizeof(uint64_t);

// FNV-1a: detects damage, not tampering.
uint64_t Checksum(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

std::string WordText(uint64_t word) {
  std::string text(kWord, '\0');
  std::memcpy(text.data(), &word, kWord);
  return text;
}

// Removes the first `n` bytes of `text`; false if it is shorter.
bool Take(std::string_view* text, size_t n, std::string_view* taken) {
  if (text->size() < n) return false;
  *taken = text->substr(0, n);
  text->remove_prefix(n);
  return true;
}

bool TakeWord(std::string_view* text, uint64_t* word) {
  std::string_view bytes;
  if (!Take(text, kWord, &bytes)) return false;
  std::memcpy(word, bytes.data(), kWord);
  return true;
}

}  // namespace

std::string DiskCache::PathOf(std::string_view key) const {
  char name[32];
  std::snprintf(name, sizeof name, "%016llx.cubin", static_cast<unsigned long long>(Checksum(key)));
  return folder_ + "/" + name;
}

std::optional<std::string> DiskCache::Read(std::string_view key) const {
  if (folder_.empty()) return std::nullopt;
  std::ifstream file(PathOf(key), std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::string_view rest = bytes;
  std::string_view magic;
  std::string_view stored_key;
  uint64_t checksum = 0;
  uint64_t key_size = 0;
  if (!Take(&rest, kMagic.size(), &magic) || magic != kMagic) return std::nullopt;
  if (!TakeWord(&rest, &checksum) || Checksum(rest) != checksum) return std::nullopt;
  if (!TakeWord(&rest, &key_size) || !Take(&rest, key_size, &stored_key) || stored_key != key) return std::nullopt;
  return std::string(rest);
}

bool DiskCache::Write(std::string_view key, std::string_view content) const {
  if (folder_.empty()) return false;
  static std::atomic<int> count = 0;  // distinguishes the temporary names of this process
  const std::string path = PathOf(key);
  const std::string mine = path + "." + std::to_string(getpid()) + "." + std::to_string(count++);
  std::error_code error;
  fs::create_directories(folder_, error);
  const std::string body = WordText(key.size()) + std::string(key) + std::string(content);
  std::ofstream file(mine, std::ios::binary);
  file << kMagic << WordText(Checksum(body)) << body;
  file.close();
  if (file.good()) fs::rename(mine, path, error);
  if (file.good() && !error) return true;
  fs::remove(mine, error);
  return false;
}

}  // namespace jax_oneshot::cuda
