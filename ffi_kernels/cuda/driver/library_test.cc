// SPDX-License-Identifier: Apache-2.0
// Tests which library is found, and the error when none is.
#include "ffi_kernels/cuda/driver/library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace jax_oneshot::cuda {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Library, IsFoundByTheSystemsLoaderWhenNoFolderHasIt) {
  const Result<Library> library = Library::Open({"the C library", {"libc.so.6"}, {"/nowhere"}, "remedy"});
  ASSERT_TRUE(library) << library.error();
  EXPECT_EQ(library->path(), "libc.so.6");
  EXPECT_TRUE(library->Symbol("getenv"));
}

TEST(Library, SaysWhichFunctionItLacks) {
  const Result<Library> library = Library::Open({"the C library", {"libc.so.6"}, {}, "remedy"});
  ASSERT_TRUE(library) << library.error();
  const Result<void*> symbol = library->Symbol("no_such_function");
  ASSERT_FALSE(symbol);
  EXPECT_EQ(symbol.error(), "libc.so.6 has no function no_such_function: it is older than this package supports");
}

TEST(Library, ThatCannotBeLoadedSaysWhatWasTriedAndWhatToDo) {
  const std::string folder = ::testing::TempDir() + "library_test";
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/libbroken.so") << "not a library";
  const Result<Library> library = Library::Open({"the broken library", {"libbroken.so"}, {folder}, "Install it."});
  ASSERT_FALSE(library);
  EXPECT_THAT(library.error(), HasSubstr("the broken library could not be loaded. Looked in: " + folder));
  EXPECT_THAT(library.error(), HasSubstr("\n  " + folder + "/libbroken.so: "));
  EXPECT_THAT(library.error(), HasSubstr("\n  libbroken.so: "));
  EXPECT_THAT(library.error(), HasSubstr("\nInstall it."));
}

TEST(LibraryFolders, AreThoseOfTheWheelsTheNewestFirst) {
  const std::string root = ::testing::TempDir() + "wheels";
  for (const char* name : {"cu12", "cu13"}) std::filesystem::create_directories(root + "/" + name + "/lib");
  std::filesystem::create_directories(root + "/headers_only/include");
  EXPECT_THAT(LibFoldersBelow(root), ElementsAre(root + "/cu13/lib", root + "/cu12/lib"));
  EXPECT_THAT(LibFoldersBelow(root + "/none"), ElementsAre());
}

TEST(LibraryFolders, BeginWithThoseInTheEnvironment) {
  setenv("ONESHOT_CUDA_LIBRARIES", "/first::/second", 1);
  const std::vector<std::string> folders = CudaLibraryFolders();
  unsetenv("ONESHOT_CUDA_LIBRARIES");
  ASSERT_GE(folders.size(), 2u);
  EXPECT_EQ(folders[0], "/first");
  EXPECT_EQ(folders[1], "/second");
}

}  // namespace
}  // namespace jax_oneshot::cuda
