#!/bin/busybox sh
# What the guest does after init: $bench says which table, $seconds for how long; both come from the kernel's command line.
: "${bench:?}" "${seconds:?}"
export PATH=/bin:/sbin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
while read -r module; do insmod "/modules/$module"; done </modules/order
tools() {
    mount -t ext4 -o ro /dev/vda /tools || echo @failed no tools
    for folder in dev proc sys; do mount -o bind "/$folder" "/tools/$folder"; done
    mount -t tmpfs tmpfs /tools/tmp
}
job() {
    echo "@begin $1"
    # Of terse output, version 3: requests and bandwidth of reads and writes.
    chroot /tools /bin/fio --name="$1" --filename="${device:-/dev/vdb}" --direct=1 --ioengine=libaio --time_based --runtime="$seconds" \
        --ramp_time=0 --rw="$2" --bs="$3" --iodepth="$4" --randrepeat=0 --norandommap --output-format=terse \
        --terse-version=3 >/result || echo "@failed fio $1"
    awk -F ';' -v name="$1" '{ kib = $6 + $47; n = kib * 1024 / size; print "@end " name " " int(n); print "@result " name " " $8 + $49 " " ($7 + $48) / 1024 }' \
        size="$5" /result
}
case $bench in
memory)
    # Every device has worked, and then all is still.
    mount -t ext4 -o ro /dev/vda /tools && umount /tools
    dd if=/dev/vdb of=/dev/null bs=1M count=16 2>/dev/null
    ip link set eth0 up
    ip address add 10.111.0.2/30 dev eth0
    ping -c 3 10.111.0.1 >/dev/null || echo @failed no network
    sleep 1
    echo @memory
    sleep 1 ;;
block)
    tools
    chroot /tools /bin/fio --version >/dev/null
    job randread randread 4k 16 4096
    job randwrite randwrite 4k 16 4096
    job seqread read 128k 4 131072
    job seqwrite write 128k 4 131072
    job onebyone randread 4k 1 4096 ;;
net)
    tools
    ip link set eth0 up
    ip address add 10.111.0.2/30 dev eth0
    echo "@begin ping"
    ping -c 20 -i 0.1 10.111.0.1 >/result || echo @failed no network
    echo "@end ping 20"
    echo "@result ping $(sed -n 's/.*time=\([0-9.]*\) ms/\1/p' /result | sort -n | sed -n 10p) 0"
    for direction in send receive; do
        reverse=
        [ "$direction" = send ] || reverse=-R
        echo "@begin net-$direction"
        chroot /tools /bin/iperf3 -c 10.111.0.1 -t "$seconds" $reverse -J >/result || echo @failed iperf3
        # What the receiver got, of the sum of all streams.
        awk -v name="net-$direction" '/"sum_received"/ { seen = 1 }
            seen && /"bytes"/ { sub(/.*:/, ""); bytes = $0 + 0 }
            seen && /"bits_per_second"/ { sub(/.*:/, ""); rate = $0 + 0; seen = 0 }
            END { print "@end " name " " int(bytes / 65536); print "@result " name " " rate / 8000000 " 0" }' /result
    done ;;
limits)
    tools
    chroot /tools /bin/fio --version >/dev/null
    # The reader of a disk without a limit, and of one whose limits are out of reach.
    device=/dev/vdd
    job limit-off randread 4k 16 4096
    device=/dev/vde
    job limit-far randread 4k 16 4096
    seconds=10
    device=/dev/vdb
    job limit-read read 64k 4 65536
    job limit-write write 64k 4 65536
    device=/dev/vdc
    job limit-ops randread 4k 16 4096
    ip link set eth0 up
    ip address add 10.111.0.2/30 dev eth0
    for direction in send receive; do
        reverse=
        [ "$direction" = send ] || reverse=-R
        # What waits in the sender's buffers when the time is up would count, and is a part of a small rate.
        chroot /tools /bin/iperf3 -c 10.111.0.1 -t 10 -w 64K $reverse -J >/result || echo @failed iperf3
        awk -v name="limit-$direction" '/"sum_received"/ { seen = 1 }
            seen && /"bits_per_second"/ { sub(/.*:/, ""); print "@result " name " " $0 / 8388608 " 0"; exit }' /result
    done ;;
off)
    tools
    job limit-off randread 4k 16 4096 ;;
entropy)
    # The driver has asked for some on its own by now, and what it got waits for the first reader.
    sleep 3
    read -r begin rest </proc/uptime
    dd if=/dev/hwrng of=/dev/null bs=800 count=200 2>/dev/null || echo @failed hwrng
    read -r end rest </proc/uptime
    echo "@result limit-entropy $(awk -v took="$end $begin" 'BEGIN { split(took, t, " "); print 160000 / (t[1] - t[2]) }') 0" ;;
vsock)
    for mode in send receive pingpong; do
        echo "@begin vsock-$mode"
        /bin/stream "$mode" "$seconds" 1234 >/result || echo @failed stream
        read -r rate count </result
        echo "@end vsock-$mode $count"
        echo "@result vsock-$mode $rate 0"
    done ;;
fs)
    mount -t virtiofs benchshare /mnt || echo @failed no share
    for mode in missing opens creates lists reads writes; do
        echo "@begin fs-$mode"
        /bin/files "$mode" "$seconds" /mnt >/result || echo @failed files
        read -r rate count </result
        echo "@end fs-$mode $count"
        echo "@result fs-$mode $rate 0"
    done
    umount /mnt ;;
esac
sync
poweroff -f
