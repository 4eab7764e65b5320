// SPDX-License-Identifier: Apache-2.0
// Tests that the cache returns the stored content or nothing, even from damaged files.
#include "ffi_kernels/cuda/kernel/disk_cache.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

namespace jax_oneshot::cuda {
namespace {

namespace fs = std::filesystem;

class DiskCacheTest : public ::testing::Test {
 protected:
  DiskCacheTest()
      : folder_(::testing::TempDir() + "oneshot-" + std::to_string(getpid()) + "-" +
                ::testing::UnitTest::GetInstance()->current_test_info()->name()) {}
  ~DiskCacheTest() override { fs::remove_all(folder_); }

  static std::string BytesOf(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  static void Put(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

  const std::string folder_;
};

TEST_F(DiskCacheTest, KeepsContentsByKeyForOtherProcessesToo) {
  EXPECT_TRUE(DiskCache(folder_).Write("one", "first"));
  EXPECT_TRUE(DiskCache(folder_).Write("two", ""));
  const DiskCache another(folder_);
  EXPECT_EQ(another.Read("one"), "first");
  EXPECT_EQ(another.Read("two"), "");
  EXPECT_EQ(another.Read("three"), std::nullopt);
}

TEST_F(DiskCacheTest, TakesEveryStrictPrefixOfAFileForAbsent) {
  const DiskCache cache(folder_);
  ASSERT_TRUE(cache.Write("key", "content"));
  const std::string whole = BytesOf(cache.PathOf("key"));
  for (size_t size = 0; size < whole.size(); ++size) {
    Put(cache.PathOf("key"), whole.substr(0, size));
    EXPECT_EQ(cache.Read("key"), std::nullopt) << size << " of " << whole.size() << " bytes";
  }
  Put(cache.PathOf("key"), whole);
  EXPECT_EQ(cache.Read("key"), "content");
}

TEST_F(DiskCacheTest, TakesAFileWithAnyByteChangedForAbsent) {
  const DiskCache cache(folder_);
  ASSERT_TRUE(cache.Write("key", "content"));
  const std::string whole = BytesOf(cache.PathOf("key"));
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    Put(cache.PathOf("key"), changed);
    EXPECT_EQ(cache.Read("key"), std::nullopt) << "byte " << at;
  }
}

TEST_F(DiskCacheTest, TakesTheFileOfAnotherKeyForAbsent) {
  const DiskCache cache(folder_);
  ASSERT_TRUE(cache.Write("key", "content"));
  fs::copy_file(cache.PathOf("key"), cache.PathOf("other"));
  EXPECT_EQ(cache.Read("other"), std::nullopt);
}

TEST_F(DiskCacheTest, LetsManyWriteOneKeyAtTheSameTimeAndLeavesOneFile) {
  const std::string content(1 << 16, 'x');
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const DiskCache cache(folder_);
      for (int turn = 0; turn < 20; ++turn) {
        EXPECT_TRUE(cache.Write("key", content));
        EXPECT_EQ(cache.Read("key"), content);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(DiskCacheTest, KeepsNothingWhereItCannotWrite) {
  fs::create_directories(folder_);
  Put(folder_ + "/file", "");
  const DiskCache cache(folder_ + "/file/below");  // a file is not a folder
  EXPECT_FALSE(cache.Write("key", "content"));
  EXPECT_EQ(cache.Read("key"), std::nullopt);
}

TEST_F(DiskCacheTest, KeepsNothingWithoutAFolder) {
  EXPECT_FALSE(DiskCache("").Write("key", "content"));
  EXPECT_EQ(DiskCache("").Read("key"), std::nullopt);
}

}  // namespace
}  // namespace jax_oneshot::cuda
