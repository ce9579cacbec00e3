// NamespacesTests
