// See BUILD.
int main() { return 0; }
