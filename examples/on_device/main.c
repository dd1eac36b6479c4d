/* Trains a net where it is used: rows come a few at a time, from a sensor or, here, a file. */
#include <stdio.h>

#include "net.h"

enum { PIXELS = 64, CLASSES = 10, EPOCHS = 15 };
static float x[NET_MOST_N * PIXELS], scores[NET_MOST_N * CLASSES];
static int64_t y[NET_MOST_N];

/* Reads up to NET_MOST_N rows, a byte for each pixel and one for the label; how many they are. */
static size_t read_rows(FILE *from) {
    unsigned char row[PIXELS + 1];
    size_t n = 0;
    for (; n < NET_MOST_N && fread(row, sizeof row, 1, from) == 1; n++) {
        for (size_t i = 0; i < PIXELS; i++)
            x[n * PIXELS + i] = (float)row[i] / 16;
        y[n] = row[PIXELS];
    }
    return n;
}

int main(void) {
    FILE *train = fopen("train.bin", "rb"), *test = fopen("test.bin", "rb");
    size_t n, right = 0, all = 0;
    float loss = 0;
    net_init();
    for (int epoch = 0; train && epoch < EPOCHS; epoch++, rewind(train))
        while ((n = read_rows(train)) > 0)
            if (net_step(x, y, n, &loss) != NET_OK)
                return 1;
    for (; test && (n = read_rows(test)) > 0 && net_predict(x, n, scores) == NET_OK; all += n)
        for (size_t i = 0; i < n; i++) {
            size_t best = 0;
            for (size_t j = 1; j < CLASSES; j++)
                best = scores[i * CLASSES + j] > scores[i * CLASSES + best] ? j : best;
            right += (int64_t)best == y[i];
        }
    printf("last loss %.4f, test accuracy %.4f\n", (double)loss, (double)right / (double)all);
    return 0;
}
