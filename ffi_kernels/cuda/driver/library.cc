// SPDX-License-Identifier: Apache-2.0
// Implementation of library.h.
#include "ffi_kernels/cuda/driver/library.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace jax_oneshot::cuda {
namespace {

namespace fs = std::filesystem;

std::string LastLoaderError() {
  const char* error = dlerror();
  return error == nullptr ? "no reason given" : error;
}

std::vector<std::string> Candidates(const LibraryQuery& query) {
  std::vector<std::string> candidates;
  std::error_code ignored;
  for (const std::string& name : query.names) {
    for (const std::string& folder : query.folders) {
      std::string path = folder;
      path.append("/").append(name);
      if (fs::exists(path, ignored)) candidates.push_back(std::move(path));
    }
    candidates.push_back(name);
  }
  return candidates;
}

std::string Joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

// The shared object that holds this code: <site-packages>/jax_oneshot/_native.abi3.so in an installed package.
std::string OwnPath() {
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(&OwnPath), &info) == 0 || info.dli_fname == nullptr) return "";
  return info.dli_fname;
}

void AppendSplit(const char* list, std::vector<std::string>* folders) {
  const std::string text = list == nullptr ? "" : list;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(':', begin), text.size());
    if (end > begin) folders->push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
}

}  // namespace

Result<Library> Library::Open(const LibraryQuery& query) {
  std::string tried;
  for (const std::string& candidate : Candidates(query)) {
    if (void* handle = dlopen(candidate.c_str(), RTLD_NOW | RTLD_LOCAL)) return Library(handle, candidate);
    tried += "\n  " + candidate + ": " + LastLoaderError();
  }
  return Err(query.what +
             " could not be loaded. Looked in: " + (query.folders.empty() ? "no folders" : Joined(query.folders)) +
             "; then asked the loader. Tried:" + tried + "\n" + query.remedy);
}

Result<void*> Library::Symbol(const char* name) const {
  if (void* address = dlsym(handle_, name)) return address;
  return Err(path_ + " has no function " + name + ": it is older than this package supports");
}

void LoadNeighbours(const std::string& library_path, const std::string& prefix) {
  std::error_code error;
  for (fs::directory_iterator i(fs::path(library_path).parent_path(), error), end; !error && i != end;
       i.increment(error)) {
    if (i->path().filename().string().rfind(prefix, 0) != 0) continue;
    dlopen(i->path().c_str(), RTLD_NOW | RTLD_LOCAL);  // a failure surfaces when the library is needed
  }
}

std::vector<std::string> LibFoldersBelow(const std::string& parent) {
  std::vector<std::string> folders;
  std::error_code error;
  for (fs::directory_iterator i(parent, error), end; !error && i != end; i.increment(error)) {
    if (fs::is_directory(i->path() / "lib", error)) folders.push_back((i->path() / "lib").string());
  }
  std::sort(folders.rbegin(), folders.rend());
  return folders;
}

std::vector<std::string> CudaLibraryFolders() {
  std::vector<std::string> folders;
  AppendSplit(std::getenv("ONESHOT_CUDA_LIBRARIES"), &folders);
  const fs::path site_packages = fs::path(OwnPath()).parent_path().parent_path();
  for (std::string& folder : LibFoldersBelow((site_packages / "nvidia").string())) folders.push_back(std::move(folder));
  folders.emplace_back("/usr/local/cuda/lib64");
  return folders;
}

}  // namespace jax_oneshot::cuda
