import Linux
import Testing

@testable import Cgroups

/// How values are spelled in interface files, without a kernel.
@Suite struct FormatTests {
    @Test func limits() {
        #expect(Limit("max") == .max)
        #expect(Limit("0") == 0)
        #expect(Limit("18446744073709551615") == .value(.max))
        for bad in ["", "-1", "1K", "18446744073709551616", "max ", "Max"] { #expect(Limit(bad) == nil, "\(bad)") }
        #expect("\(Limit.value(12))" == "12")
        #expect(Limit.value(.max) < .max)
        #expect(!(Limit.max < .max))
        #expect(Limit.value(1) < 2)
        #expect(Limit.kibibytes(4) == 4096)
        #expect(Limit.gibibytes(2) == .mebibytes(2048))
        #expect(Limit.gibibytes(1 << 34) == .max)
    }

    @Test func bandwidth() {
        #expect(CPUBandwidth(interfaceText: "max 100000") == CPUBandwidth(quota: .max))
        #expect(CPUBandwidth(interfaceText: "5000 20000")?.interfaceText == "5000 20000")
        #expect(CPUBandwidth(interfaceText: "5000") == nil)
        #expect(CPUBandwidth(interfaceText: "5000 max") == nil)
    }

    @Test func clamps() {
        #expect(UtilizationClamp(interfaceText: "max") == .max)
        #expect(UtilizationClamp(interfaceText: "12.34") == .hundredths(1234))
        #expect(UtilizationClamp(interfaceText: "12.3") == .hundredths(1230))
        #expect(UtilizationClamp(interfaceText: "0") == .hundredths(0))
        #expect(UtilizationClamp.hundredths(1205).interfaceText == "12.05")
        for bad in ["", "101", "-1", "1.234", "1.", "1.-2"] {
            #expect(UtilizationClamp(interfaceText: bad) == nil, "\(bad)")
        }
    }

    @Test func lists() {
        #expect(IndexList("0-3,7")?.ranges == [0...3, 7...7])
        #expect(IndexList("7, 1-2,2-4")?.description == "1-4,7")
        #expect(IndexList("3,4,5")?.description == "3-5")
        #expect(IndexList("0-11:2/4")?.description == "0-1,4-5,8-9")
        #expect(IndexList("0-4:2/4")?.description == "0-1,4")
        #expect(IndexList("")?.ranges == [])
        #expect(IndexList("")?.interfaceText == "\n")
        #expect(IndexList("0-3")?.count == 4)
        #expect(IndexList([5, 1, 2]).contains(2))
        for bad in ["a", "-1", "3-1", "1-", "1-2-3", "0-3:0/2", "0-3:3/2", "0-3:1", "0-99999999999", "0-3:1/2:3"] {
            #expect(IndexList(bad) == nil, "\(bad)")
        }
    }

    /// An item can stand for a million ranges, so a document of a megabyte would for terabytes.
    @Test func aListDoesNotFillMemory() {
        let item = "0-1048576:1/64"
        #expect(IndexList(item)?.count == 16_385)
        #expect(IndexList(Array(repeating: item, count: 10_000).joined(separator: ",")) == nil)
    }

    @Test func hugePageSizes() {
        for text in ["64KB", "2MB", "1GB"] { #expect(HugePageSize(text)?.description == text) }
        #expect(HugePageSize("2MB")?.bytes == 2 << 20)
        for bad in ["", "MB", "2M", "0MB", "-2MB", "2TB", "99999999999999GB"] {
            #expect(HugePageSize(bad) == nil, "\(bad)")
        }
    }

    @Test func deviceNumbers() {
        #expect(DeviceNumber("8:16") == DeviceNumber(major: 8, minor: 16))
        #expect(DeviceNumber(0x0810) == DeviceNumber(major: 8, minor: 16))
        // makedev(3) of 4095:1048575 and beyond 12 bits of major.
        #expect(DeviceNumber(0xffff_ffff) == DeviceNumber(major: 4095, minor: 1_048_575))
        #expect(DeviceNumber(0x1234_5000_0000_6700) == DeviceNumber(major: 0x1234_5067, minor: 0))
        for bad in ["8", "8:", ":8", "8:16:1", "a:b", "-1:0"] { #expect(DeviceNumber(bad) == nil, "\(bad)") }
    }

    @Test func types() {
        for text in ["domain", "domain threaded", "domain invalid", "threaded", "something newer"] {
            #expect(CgroupType(interfaceText: text)?.interfaceText == text)
        }
        #expect(CgroupType(interfaceText: "domain threaded") == .domainThreaded)
        #expect(CPUSetPartition(interfaceText: "root invalid (no)") == .other("root invalid (no)"))
    }

    @Test func counters() {
        let counters = Counters(Array("anon 4096\nfile 0\nbroken x\nhuge 99999999999999999999\nlast 7".utf8))
        #expect(counters["anon"] == 4096)
        #expect(counters["file"] == 0)
        #expect(counters["last"] == 7)
        #expect(counters["ano"] == nil)
        #expect(counters["anony"] == nil)
        #expect(counters["broken"] == nil)
        #expect(counters["huge"] == nil)
        #expect(counters[""] == nil)
        #expect(counters.all.map(\.name) == ["anon", "file", "last"])
        #expect(Counters([])["x"] == nil)
        #expect(Counters(Array("\n\n \n".utf8)).all.isEmpty)
    }

    @Test func rawNames() throws {
        #expect(try RawSetting(file: "memory.high", value: "1").file == "memory.high")
        #expect(try RawSetting(file: "hugetlb.2MB.max", value: "1").value == "1")
        for bad in [
            "", ".", "..", "../x.y", "a/b.c", "/etc/passwd", "memory", ".high", "memory.", "cgroup.procs",
            "cgroup.threads", "cgroup.kill", "a b.c", "a.\u{0}", "a.b\n", String(repeating: "a", count: 300) + ".b",
        ] {
            #expect(throws: CgroupError.self, "\(bad)") { try RawSetting(file: bad, value: "1") }
        }
    }

    @Test func controllersOfFiles() {
        #expect(Controller(ofFile: "memory.max") == .memory)
        #expect(Controller(ofFile: "hugetlb.2MB.max") == .hugetlb)
        #expect(Controller(ofFile: "newer.thing")?.rawValue == "newer")
        for none in ["cgroup.procs", "cpu.pressure", "memory", ".x"] { #expect(Controller(ofFile: none) == nil) }
    }
}
